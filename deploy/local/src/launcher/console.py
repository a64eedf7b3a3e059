"""What people see: a live table while things start, then one line for each event; plain lines without a terminal."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from launcher.settings import Settings
from launcher.spec import Event, State
from launcher.state import StackRecord, is_alive
from launcher.supervisor import Member

COLORS = {
    State.READY: "green",
    State.DONE: "green",
    State.STARTING: "yellow",
    State.RESTARTING: "red",
    State.FAILED: "bold red",
}


class StackConsole:
    """Shows one start, run and stop of the stack."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._live: Live | None = None
        self._members: Mapping[str, Member] = {}

    def begin(self, members: Mapping[str, Member]) -> None:
        """Shows the table while the stack starts, if there is a terminal to show it on."""
        self._members = members
        if self._console.is_terminal:
            self._live = Live(self._table(), console=self._console, refresh_per_second=10)
            self._live.start()

    def show(self, event: Event) -> None:
        """Shows a change: in the table while it is there, as a line otherwise."""
        if self._live:
            self._live.update(self._table())
        if self._live is None or event.state in {State.RESTARTING, State.FAILED}:
            self.say(f"{event.name}: {event.state} {event.detail}".rstrip())

    def finish_table(self) -> None:
        """Leaves the table as it is and goes on with lines."""
        if self._live:
            self._live.update(self._table())
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """Prints a line with the seconds since the start."""
        self._print(f"{time.monotonic() - self._started:7.1f} s  {line}")

    def welcome(self, settings: Settings, logs: Path) -> None:
        """Says where things are and what to do next."""
        seconds = time.monotonic() - self._started
        self.finish_table()
        self._print(_welcome_text(settings.url, settings.home, logs, seconds))

    def _print(self, text: str) -> None:
        # Where nothing can be written any more, such as on a full disk, the stack goes on without a word.
        with suppress(OSError):
            self._console.print(Text(text), soft_wrap=True)

    def _table(self) -> Table:
        table = Table("process", "state", "pid", Column("address", overflow="fold"), title="DocuChat")
        for member in self._members.values():
            pid = str(member.running.pid) if member.running else ""
            state = Text(member.state, style=COLORS.get(member.state, ""))
            table.add_row(member.spec.name, state, pid, member.spec.address)
        return table


def _welcome_text(url: str, home: Path, logs: Path, seconds: float) -> str:
    return f"""
DocuChat serves at {url}  (healthy after {seconds:.1f} s; data in {home}; logs in {logs})

  In a browser   {url}
  A demo         `make demo` in another terminal: two small documents, two answers with their sources

  1. sign up     TOKEN=$(curl -s {url}/v1/auth/sign-up \\
                   -d '{{"email":"me@example.org","password":"a long enough password"}}' \\
                   | python3 -c 'import json,sys; print(json.load(sys.stdin)["tokens"]["access_token"])')
  2. upload      curl -H "authorization: Bearer $TOKEN" -F file=@paper.pdf {url}/v1/documents
  3. ask         curl -N -H "authorization: Bearer $TOKEN" {url}/v1/ask -d '{{"question":"What is this about?"}}'

Ctrl-C stops everything; `.venv/bin/python -m launcher status` in another terminal shows every process.
"""


def status_table(record: StackRecord) -> Table:
    """Returns the processes of a state file as a table."""
    table = Table("process", "state", "pid", "restarts", Column("address", overflow="fold"))
    for process in (record.launcher, *record.processes):
        state = process.state if process.pid is None or is_alive(process) else "gone"
        table.add_row(process.name, state, str(process.pid or ""), str(process.restarts), process.address)
    return table
