"""Telling other services which sessions have ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from auth.ports import Needs
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

INTERVAL_SECONDS = 1.0
BATCH = 1000
# What verifiers forgive, and some time for a revocation between its moment and its commit.
MARGIN = timedelta(minutes=2)


class RevocationFeed:
    """The sessions that ended lately, read from the store every second, so that replicas hear of each other's."""

    def __init__(self, needs: Needs, *, interval: float = INTERVAL_SECONDS) -> None:
        self._needs = needs
        self._interval = interval
        self._ended: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._is_over = False

    def __contains__(self, session_id: object) -> bool:
        """Tells whether a session has ended."""
        return session_id in self._ended

    async def follow(self) -> None:
        """Looks for as long as the process serves; being cancelled ends everyone's watch, so that auth can stop."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._interval)
        finally:
            self._is_over = True
            self._tell()

    async def watch(self) -> AsyncIterator[Sequence[str]]:
        """Yields the sessions that have ended, then those that end, at most 1,000 at a time."""
        told: frozenset[str] = frozenset()
        while not self._is_over:
            changed, ended = self._changed, self._ended
            fresh = sorted(ended - told)
            for start in range(0, len(fresh), BATCH):
                yield fresh[start : start + BATCH]
            told = ended
            await changed.wait()

    async def _look(self) -> None:
        since = self._needs.clock() - self._needs.lifetimes.access_token - MARGIN
        try:
            ended = frozenset(await self._needs.sessions.list_revoked(since))
        except AppError as error:
            get_logger("auth").warning("revocations not read", reason=error.reason)
            return
        if ended != self._ended:
            self._ended = ended
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
