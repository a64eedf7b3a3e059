"""Doing at the same time what does not depend on each other."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, Result]) -> AsyncIterator[asyncio.Task[Result]]:
    """Runs work beside a block, which may wait for its result; what is not done when the block is left is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        # Also takes note of how it ended, so that what nobody waited for is no error of anybody's.
        await asyncio.gather(task, return_exceptions=True)
