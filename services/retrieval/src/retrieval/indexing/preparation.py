"""Keeping the index there: made when the process starts, and again whenever it was away."""

import asyncio

from retrieval.errors import IndexUnavailable
from retrieval.ports import VectorIndex
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0


class IndexPreparation:
    """Prepares the index when the process starts and whenever it was away, while calls are already taken.

    An index that was away may come back empty. Until it is prepared the health
    check fails, so nothing is routed here, and nothing waits.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._needed = asyncio.Event()
        self._needed.set()

    async def keep_prepared(self) -> None:
        """Prepares again and again until it works; runs as long as the service."""
        delay = FIRST_RETRY_SECONDS
        while True:
            await self._needed.wait()
            try:
                await self._index.prepare()
            except AppError as error:
                get_logger("index").warning("vector index is not ready", reason=error.reason, retry_in_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY_SECONDS)
            else:
                self._needed.clear()
                delay = FIRST_RETRY_SECONDS

    async def check(self) -> str:
        """Returns the engine's version. Raises IndexUnavailable while it is away or not prepared."""
        try:
            version = await self._index.ping()
        except AppError:
            self._needed.set()
            raise
        if self._needed.is_set():
            raise IndexUnavailable
        return version
