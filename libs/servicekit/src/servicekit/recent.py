"""A result that many ask for and few should make."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class Recent(Generic[ResultT]):
    """What `work` returned at most `seconds` ago; it runs once for all who ask, in a context of nobody's."""

    def __init__(
        self, work: Callable[[], Awaitable[ResultT]], seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._work = work
        self._seconds = seconds
        self._clock = clock
        self._begun = float("-inf")
        self._round: asyncio.Task[ResultT] | None = None
        self._context = copy_context()

    async def get(self) -> ResultT:
        """Returns the result, or raises what `work` raised; waits for the round that is under way."""
        if self._round is None or (self._round.done() and self._clock() - self._begun >= self._seconds):
            self._begun = self._clock()
            self._round = asyncio.create_task(self._run(), context=self._context)
        # Whoever gives up waiting must not end the round for the others.
        return await asyncio.shield(self._round)

    async def _run(self) -> ResultT:
        return await self._work()
