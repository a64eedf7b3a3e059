"""``python -m launcher [up | status [--json] | stop | url]``: the whole stack on one machine."""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from launcher.console import status_table
from launcher.home import AlreadyRunningError, Home
from launcher.postgres import PostgresSetupError
from launcher.settings import SettingError, Settings, read_settings
from launcher.stack import run_stack
from launcher.state import StackRecord, is_alive, read_state

STOP_SECONDS = 90


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit status: 0 done, 1 not running or failed, 2 a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m launcher", description="Runs DocuChat on one machine.")
    parser.add_argument("command", nargs="?", default="up", choices=("up", "status", "stop", "url"))
    parser.add_argument("--json", action="store_true", help="status: print JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        return _run(options.command, read_settings(os.environ, Path.cwd()), as_json=options.json)
    except (AlreadyRunningError, SettingError, PostgresSetupError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"DocuChat cannot start or stop: {error}\n")
        return 1
    except KeyboardInterrupt:
        # Before the stack has begun to listen for signals itself.
        return 130


def _run(command: str, settings: Settings, *, as_json: bool) -> int:
    if command == "up":
        return run_stack(settings)
    if command == "url":
        sys.stdout.write(f"{settings.url}\n")
        return 0
    record = read_state(Home(settings.home).state)
    if record is None or not is_alive(record.launcher):
        sys.stderr.write(f"DocuChat does not run on {settings.home}.\n")
        return 1
    return _stop(record) if command == "stop" else _show(record, as_json=as_json)


def _show(record: StackRecord, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(asdict(record), indent=2) + "\n")
    else:
        Console().print(status_table(record))
    return 0


def _stop(record: StackRecord) -> int:
    """Asks the launcher to stop its stack, and waits until it has."""
    os.kill(record.launcher.pid or 0, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(record.launcher):
        if time.monotonic() > deadline:
            sys.stderr.write(f"It has not stopped within {STOP_SECONDS} s.\n")
            return 1
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
