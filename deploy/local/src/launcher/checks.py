"""Asking every service, before anything starts, whether its settings make sense.

``python -m launcher.checks`` does what ``python -m <service> check-settings`` would do for each service in turn, with
the environments that stand on stdin. One process for all: importing the same libraries four times would cost seconds.
"""

import asyncio
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from launcher.settings import SettingError
from launcher.spec import ProcessSpec

SECONDS = 60.0
LONGEST_ANSWER = 4000


async def check_settings(specs: Sequence[ProcessSpec]) -> None:
    """Asks all services. Raises SettingError with their sentences."""
    asked = [(spec.checked_as, dict(spec.environment)) for spec in specs if spec.checked_as]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "launcher.checks"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, output = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), SECONDS)
    except TimeoutError:
        raise SettingError(f"The settings could not be checked within {SECONDS:.0f} s.") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    said = output.decode(errors="replace").strip()[-LONGEST_ANSWER:]
    match process.returncode:
        case 0:
            return
        case 2:
            raise SettingError(said)
        case status:
            last = said.rpartition("\n")[2]
            raise SettingError(f"The settings could not be checked (status {status}): {last}")


def run_checks(asked: Sequence[tuple[str, Mapping[str, str]]]) -> int:
    """Runs the command of each service in its environment; returns the highest exit status."""
    return max((_run_check(service, environment) for service, environment in asked), default=0)


def _run_check(service: str, environment: Mapping[str, str]) -> int:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [service, "check-settings"]
    try:
        runpy.run_module(service, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


if __name__ == "__main__":
    sys.exit(run_checks(json.load(sys.stdin)))
