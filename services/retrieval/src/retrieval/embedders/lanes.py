"""The two lanes that share the processors: queries, and bulk work behind them."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# A nice value of Linux: where both are busy, a thread at 5 gets a third of the time of one at 0.
BULK_NICENESS = 5


class Lane:
    """A few threads for blocking work, with a bounded queue: a caller waits until there is room."""

    def __init__(self, name: str, *, threads: int, niceness: int = 0) -> None:
        self._pool = ThreadPoolExecutor(threads, name, initializer=_lower_priority, initargs=(niceness,))
        # One task more per thread than it can run, so that none waits for the event loop.
        self._room = asyncio.Semaphore(2 * threads)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Runs work in a thread; what is cancelled before its turn never runs."""
        async with self._room:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """Waits for running work and ends the threads."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


def count_processors() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _lower_priority(niceness: int) -> None:
    # Linux keeps the priority per thread; elsewhere this would slow the whole process down.
    if niceness and sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
