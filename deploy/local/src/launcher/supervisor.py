"""Keeps processes running: starts each when what it needs is ready, and again when it dies."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launcher.process import RunningProcess, read_last_line, rotate_log
from launcher.spec import Event, ProcessSpec, State

_PROBE_INTERVAL = 0.1


@dataclass(frozen=True)
class Backoff:
    """How long to wait before starting a dead process again; seconds."""

    first: float = 0.2
    longest: float = 5.0
    forget_after: float = 30.0
    """A process that ran this long counts as healthy: its next death starts from `first`."""

    def delay(self, failures: int) -> float:
        """Return the wait after so many failures in a row (1 for the first)."""
        return min(self.first * 2.0 ** min(failures - 1, 16), self.longest)


@dataclass
class Member:
    """A process under supervision."""

    spec: ProcessSpec
    state: State = State.WAITING
    running: RunningProcess | None = None
    restarts: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has been ready for the first time; what needs it may start."""


class TaskFailedError(Exception):
    """A task that everything else waits for ended with an error."""


class Supervisor:
    """Runs processes until it is told to stop. Each may need only such as stand before it in the list.

    `report` hears of every change; `members` shows how things stand.
    """

    def __init__(
        self, specs: Sequence[ProcessSpec], logs: Path, report: Callable[[Event], None], backoff: Backoff | None = None
    ) -> None:
        check_order(specs)
        self.members: Mapping[str, Member] = {spec.name: Member(spec) for spec in specs}
        self._logs = logs
        self._report = report
        self._backoff = backoff or Backoff()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Begin to start everything."""
        for name, member in self.members.items():
            rotate_log(self.log_path(name))
            self._tasks[name] = asyncio.create_task(self._run(member), name=name)
            self._tasks[name].add_done_callback(self._note_failure)

    def log_path(self, name: str) -> Path:
        """The file with the output of a process."""
        return self._logs / f"{name}.log"

    async def wait_ready(self) -> None:
        """Wait until everything has been ready once."""
        for member in self.members.values():
            await member.ready.wait()

    async def wait_failure(self) -> None:
        """Wait for ever, or until something happens that a restart cannot mend; then raise it."""
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Stop all, one after the other, in the reverse of the order in which they were given."""
        for member in reversed(list(self.members.values())):
            await self._stop_member(member)

    def kill(self) -> None:
        """End every process at once."""
        for member in self.members.values():
            if member.running:
                member.running.kill()

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() and not self._failure.done():
            self._failure.set_exception(task.exception() or TaskFailedError(task.get_name()))

    async def _stop_member(self, member: Member) -> None:
        task = self._tasks[member.spec.name]
        task.cancel()
        if member.running:
            self._change(member, State.STOPPING)
            await member.running.stop(member.spec.stop_signal, member.spec.grace_seconds)
            member.running = None
        await asyncio.wait({task})
        if member.state is not State.DONE:
            self._change(member, State.STOPPED)

    async def _run(self, member: Member) -> None:
        for name in member.spec.needs:
            await self.members[name].ready.wait()
        failures = 0
        while True:
            started = time.monotonic()
            status = await self._run_once(member)
            if member.spec.once:
                return self._finish_task(member, status)
            failures = 1 if time.monotonic() - started >= self._backoff.forget_after else failures + 1
            delay = self._backoff.delay(failures)
            member.restarts += 1
            self._change(member, State.RESTARTING, f"{self._describe(member, status)}; again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _run_once(self, member: Member) -> int:
        """Start it, watch it become ready, and return the status with which it ends."""
        member.running = await RunningProcess.start(member.spec, self.log_path(member.spec.name))
        self._change(member, State.STARTING)
        watch = asyncio.create_task(self._watch_readiness(member))
        try:
            status = await member.running.wait()
        finally:
            watch.cancel()
        # Children it left behind would hold its port or its files.
        member.running.kill()
        member.running = None
        return status

    async def _watch_readiness(self, member: Member) -> None:
        if member.spec.once:
            return
        # There is no event to wait for: the answer is in another process.
        while member.spec.probe and not await member.spec.probe.is_ready():  # noqa: ASYNC110
            await asyncio.sleep(_PROBE_INTERVAL)
        self._change(member, State.READY)
        member.ready.set()

    def _finish_task(self, member: Member, status: int) -> None:
        if status != 0:
            self._change(member, State.FAILED, self._describe(member, status))
            raise TaskFailedError(f"{member.spec.name}: {self._describe(member, status)}")
        self._change(member, State.DONE)
        member.ready.set()

    def _describe(self, member: Member, status: int) -> str:
        if status < 0:
            return f"killed by signal {-status}"
        log = self.log_path(member.spec.name)
        return f"ended with status {status}; {log}: {read_last_line(log)}"

    def _change(self, member: Member, state: State, detail: str = "") -> None:
        member.state = state
        self._report(Event(member.spec.name, state, detail))


def check_order(specs: Sequence[ProcessSpec]) -> None:
    """Raise ValueError if a process needs one that does not stand before it: it would wait for ever."""
    placed: set[str] = set()
    for spec in specs:
        if spec.needs - placed:
            raise ValueError(f"{spec.name} needs {', '.join(sorted(spec.needs - placed))}, not listed before it")
        placed.add(spec.name)
