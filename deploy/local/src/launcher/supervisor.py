"""Keeps processes running: starts each when what it needs is ready, and again when it dies or falls silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launcher.logs import keep_small, read_last_lines, rotate
from launcher.process import RunningProcess
from launcher.spec import Event, Probe, ProcessSpec, State

PATIENCE_SECONDS = 5.0
WELL = "ended with status 0"


@dataclass(frozen=True)
class Backoff:
    """How long to wait before starting a dead process again; seconds."""

    first: float = 0.2
    longest: float = 5.0
    forget_after: float = 30.0
    """A process that ran this long counts as healthy: its next death starts from `first`."""
    attempts: int = 6
    """So many deaths in a row before it was ever ready end the start; what has worked once is always started again."""

    def delay(self, failures: int) -> float:
        """Returns the wait after so many failures in a row (1 for the first)."""
        return min(self.first * 2.0 ** min(failures - 1, 16), self.longest)


@dataclass(frozen=True)
class Watch:
    """How closely a process is watched; seconds."""

    starting: float = 0.1
    """Between two looks until it is ready."""
    running: float = 2.0
    """Between two looks afterwards."""
    silent_looks: int = 4
    """So many looks in a row without a sign of life end it. They are counted, and no clock is asked, so that a machine
    that slept, or a launcher that stood still, takes nobody for dead."""
    longest_start: float = 120.0
    """A process that has given no sign of life since it began is ended after this time."""


@dataclass
class Member:
    """A process under supervision."""

    spec: ProcessSpec
    state: State = State.WAITING
    running: RunningProcess | None = None
    restarts: int = 0
    silent: bool = False
    """Whether it was ended because it gave no sign of life."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has been ready for the first time; what needs it may start."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is over for good; what it used may stop."""


class StartFailedError(Exception):
    """A task, or a process that has never been ready, ended in a way that no further attempt mends."""


class Supervisor:
    """Runs processes until it is told to stop. Each may need and use only such as stand before it in the list.

    `report` hears of every change; `members` shows how things stand.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        logs: Path,
        report: Callable[[Event], None],
        backoff: Backoff | None = None,
        watch: Watch | None = None,
    ) -> None:
        check_order(specs)
        self.members: Mapping[str, Member] = {spec.name: Member(spec) for spec in specs}
        self._logs = logs
        self._report = report
        self._backoff = backoff or Backoff()
        self._watch = watch or Watch()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Begins to start everything."""
        for name, member in self.members.items():
            rotate(self.log_path(name))
            self._tasks[name] = asyncio.create_task(self._run(member), name=name)
            self._tasks[name].add_done_callback(self._note_failure)

    def log_path(self, name: str) -> Path:
        """The file with the output of a process."""
        return self._logs / f"{name}.log"

    async def wait_ready(self) -> None:
        """Waits until everything has been ready once."""
        for member in self.members.values():
            await member.ready.wait()

    async def wait_failure(self) -> None:
        """Waits for ever, or until something happens that a restart cannot mend; then raises it."""
        await asyncio.shield(self._failure)

    async def keep_logs_small(self) -> None:
        """Cuts logs that have grown too long; never returns."""
        await keep_small([self.log_path(name) for name in self.members])

    async def stop(self) -> None:
        """Stops all, side by side; but each only when those that need or use it have stopped."""
        async with asyncio.TaskGroup() as group:
            for member in self.members.values():
                group.create_task(self._stop_member(member))

    def kill(self) -> None:
        """Ends every process at once."""
        for member in self.members.values():
            if member.running:
                member.running.kill()

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() and not self._failure.done():
            self._failure.set_exception(task.exception() or StartFailedError(task.get_name()))

    async def _stop_member(self, member: Member) -> None:
        name = member.spec.name
        # First for all: whatever dies now was told to, and is not started again.
        self._tasks[name].cancel()
        for user in self.members.values():
            if name in user.spec.needs | user.spec.uses:
                await user.stopped.wait()
        if member.running:
            self._change(member, State.STOPPING)
            await member.running.stop(member.spec.stop_signal, member.spec.grace_seconds)
            member.running = None
        await asyncio.wait({self._tasks[name]})
        if member.state is not State.DONE:
            self._change(member, State.STOPPED)
        member.stopped.set()

    async def _run(self, member: Member) -> None:
        for name in member.spec.needs:
            await self.members[name].ready.wait()
        failures = 0
        while True:
            started = time.monotonic()
            end = await self._run_once(member)
            if member.spec.once and end == WELL:
                self._change(member, State.DONE)
                return member.ready.set()
            failures = 1 if time.monotonic() - started >= self._backoff.forget_after else failures + 1
            if member.spec.once or (failures >= self._backoff.attempts and not member.ready.is_set()):
                self._give_up(member, end)
            await self._pause(member, end, self._backoff.delay(failures))

    async def _run_once(self, member: Member) -> str:
        """Starts it, watches it, and returns how it ended, for people."""
        try:
            member.running = await RunningProcess.start(member.spec, self.log_path(member.spec.name))
        except OSError as error:
            return f"could not be started: {error}"
        self._change(member, State.STARTING)
        watch = None if member.spec.once else asyncio.create_task(self._watch_over(member, member.running))
        try:
            status = await member.running.wait()
        finally:
            if watch:
                watch.cancel()
        # Children it left behind would hold its port or its files.
        member.running.kill()
        member.running = None
        return self._describe(member, status)

    async def _watch_over(self, member: Member, running: RunningProcess) -> None:
        """Says when it is ready, and ends it when it gives no sign of life any more."""
        member.silent = False
        probe = member.spec.probe
        if probe is None:
            self._note_ready(member)
            return
        if await self._becomes_ready(probe):
            self._note_ready(member)
            await self._falls_silent(probe)
        member.silent = True
        running.kill()

    async def _becomes_ready(self, probe: Probe) -> bool:
        """Waits until it is ready; False if it stays without a sign of life for too long."""
        latest = time.monotonic() + self._watch.longest_start
        while not await _hears(probe.is_ready()):
            if time.monotonic() > latest and not await _hears(probe.is_alive()):
                return False
            # There is no event to wait for: the answer is in another process.
            await asyncio.sleep(self._watch.starting)
        return True

    async def _falls_silent(self, probe: Probe) -> None:
        """Waits until several looks in a row have found no sign of life."""
        silent = 0
        while silent < self._watch.silent_looks:
            await asyncio.sleep(self._watch.running)
            silent = 0 if await _hears(probe.is_alive()) else silent + 1

    def _note_ready(self, member: Member) -> None:
        self._change(member, State.READY)
        member.ready.set()

    async def _pause(self, member: Member, end: str, seconds: float) -> None:
        member.restarts += 1
        self._change(member, State.RESTARTING, f"{end}; again in {seconds:.1f} s")
        await asyncio.sleep(seconds)

    def _give_up(self, member: Member, end: str) -> None:
        self._change(member, State.FAILED, end)
        log = self.log_path(member.spec.name)
        raise StartFailedError("\n".join([f"{member.spec.name} {end}", *read_last_lines(log, 10)]))

    def _describe(self, member: Member, status: int) -> str:
        if status == 0:
            return WELL
        if member.silent:
            return "gave no sign of life and was killed"
        if status < 0:
            return f"killed by signal {-status}"
        log = self.log_path(member.spec.name)
        return f"ended with status {status}; {log}: {' '.join(read_last_lines(log, 1))}"

    def _change(self, member: Member, state: State, detail: str = "") -> None:
        member.state = state
        self._report(Event(member.spec.name, state, detail))


async def _hears(question: Awaitable[bool]) -> bool:
    """Returns a probe's answer; one that fails, or takes too long, has heard nothing."""
    try:
        return await asyncio.wait_for(question, PATIENCE_SECONDS)
    except Exception:  # noqa: BLE001 - whatever a library raises, the watch goes on
        return False


def check_order(specs: Sequence[ProcessSpec]) -> None:
    """Raises ValueError if a process needs or uses one that does not stand before it: it would wait for ever."""
    placed: set[str] = set()
    for spec in specs:
        missing = (spec.needs | spec.uses) - placed
        if missing:
            raise ValueError(f"{spec.name} needs {', '.join(sorted(missing))}, not listed before it")
        placed.add(spec.name)
