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
        """Starts it; its output is appended to the log. Raises OSError if it cannot be started at all.

        It writes to the file itself: through a pipe of ours, a launcher that stands still would bring all to a stand.
        """
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
        """Waits until it ends; returns its exit status, negative for a signal."""
        return await self._process.wait()

    async def stop(self, number: signal.Signals, grace_seconds: float) -> None:
        """Asks it to end; after the grace time ends it, and in any case whatever it has started."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
            # One that somebody has stopped would not hear it.
            self._process.send_signal(signal.SIGCONT)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """Ends it and its children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
