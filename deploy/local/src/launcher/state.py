"""The state file: who runs, for `status`, for tests, and for a launcher that finds the remains of a killed one."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from launcher.supervisor import Member

LEFTOVER_GRACE_SECONDS = 5.0
TRY_AGAIN_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessRecord:
    """One process as the state file has it."""

    name: str
    state: str
    pid: int | None
    created: float | None
    """When the process with this pid began, seconds since 1970; tells it from a later one with the same pid."""
    address: str
    restarts: int


@dataclass(frozen=True)
class StackRecord:
    """A launcher and its processes."""

    launcher: ProcessRecord
    processes: tuple[ProcessRecord, ...]


class StateFile:
    """Keeps the state file in step with the members. A full disk makes it old for a while and ends nothing."""

    def __init__(self, path: Path, address: str, members: Mapping[str, Member], say: Callable[[str], None]) -> None:
        self._path = path
        self._address = address
        self._members = members
        self._say = say
        self._stale = False

    def update(self) -> None:
        """Writes how things stand now, or says once that it cannot be written."""
        try:
            write_state(self._path, self._address, self._members)
        except OSError as error:
            if not self._stale:
                self._say(f"{self._path} stays as it was: {error.strerror}; `status` and `stop` may not see all")
            self._stale = True
        else:
            self._stale = False

    async def keep(self) -> None:
        """Writes again and again what could not be written; never returns."""
        while True:
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            if self._stale:
                self.update()


def write_state(path: Path, address: str, members: Mapping[str, Member]) -> None:
    """Replaces the state file; a reader sees the old one or the new one, never half of one."""
    launcher = ProcessRecord("launcher", "ready", os.getpid(), _created(os.getpid()), address, 0)
    record = StackRecord(launcher, tuple(_record(member) for member in members.values()))
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(record), indent=2))
    draft.replace(path)


def read_state(path: Path) -> StackRecord | None:
    """Returns what the last launcher wrote, whether or not it still runs; None if none ever did."""
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    processes = tuple(ProcessRecord(**process) for process in content["processes"])
    return StackRecord(ProcessRecord(**content["launcher"]), processes)


def is_alive(record: ProcessRecord) -> bool:
    """Tells whether the recorded process still runs; another one that got its pid does not count."""
    return record.pid is not None and record.created is not None and _created(record.pid) == record.created


def end_leftovers(records: Iterable[ProcessRecord]) -> list[str]:
    """Ends the processes that outlived their launcher; returns their names."""
    alive = [record for record in records if is_alive(record)]
    for record in alive:
        # PostgreSQL takes SIGINT for a fast shutdown; with SIGTERM it would wait for its clients.
        _signal(record, signal.SIGINT if record.name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + LEFTOVER_GRACE_SECONDS
    while any(is_alive(record) for record in alive) and time.monotonic() < deadline:
        time.sleep(0.05)
    for record in alive:
        _kill_group(record)
    return [record.name for record in alive]


def _record(member: Member) -> ProcessRecord:
    pid = member.running.pid if member.running else None
    spec = member.spec
    created = _created(pid) if pid else None
    return ProcessRecord(spec.name, str(member.state), pid, created, spec.address, member.restarts)


def _created(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    if record.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(record.pid, number)


def _kill_group(record: ProcessRecord) -> None:
    """Ends what the process has started too: its group has its pid for a name, and outlives it."""
    if record.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(record.pid, signal.SIGKILL)
