"""The order in which a process stops."""

import asyncio
import os
import signal

import pytest

from servicekit.rpc.server import run_until_stopped


class Work:
    """A task that notes its life."""

    def __init__(self):
        self.alive = False
        self.began = asyncio.Event()

    async def __call__(self):
        self.alive = True
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            # As when a task has something to put away.
            await asyncio.sleep(0)
            self.alive = False


async def test_background_work_goes_on_while_calls_drain_and_ends_after_them():
    work, during = Work(), []

    async def drain():
        during.append(work.alive)

    async def stop():
        await work.began.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = asyncio.create_task(stop())
    await asyncio.wait_for(run_until_stopped([work], drain), 5)
    await stopping
    assert during == [True]
    assert not work.alive


async def test_a_task_that_fails_stops_the_process_and_leaves_no_other_alive():
    works, drained = [Work() for _ in range(3)], []

    async def fail():
        await asyncio.gather(*(work.began.wait() for work in works))
        raise ValueError("one")

    async def fail_when_cancelled():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("two") from None

    async def drain():
        drained.append([work.alive for work in works])

    with pytest.raises(ValueError, match="one"):
        await asyncio.wait_for(run_until_stopped([fail, fail_when_cancelled, *works], drain), 5)
    assert drained == [[True] * 3]
    assert [work.alive for work in works] == [False] * 3


async def test_a_drain_that_fails_leaves_no_task_alive():
    work = Work()

    async def end():
        await work.began.wait()

    async def drain():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await run_until_stopped([end, work], drain)
    assert not work.alive
