"""One running process: started under the guard, in a group of its own, with its output in a log file."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from launcher import guard
from launcher.spec import ProcessSpec


class RunningProcess:
    """A started process; always stop or wait for it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, spec: ProcessSpec, log: Path) -> "RunningProcess":
        """Start it; its output is appended to the log. Raise OSError if it cannot be started at all."""
        # The guard runs as a file in a bare interpreter: importing this package for it would cost more than the start.
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(int(spec.stop_signal))]
        command = [*guarded, spec.user or "", *spec.command]
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(spec.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id; also that of its group."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait until it ends; return its exit status, negative for a signal."""
        return await self._process.wait()

    async def stop(self, number: signal.Signals, grace_seconds: float) -> None:
        """Ask it to end; after the grace time end it, and in any case whatever it has started."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """End it and its children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def rotate_log(log: Path) -> None:
    """Keep the log of the run before, and only that."""
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))


def read_last_line(log: Path, limit: int = 300) -> str:
    """Return the last line of a log that is not empty, cut to the limit; empty if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:limit] if lines else ""
