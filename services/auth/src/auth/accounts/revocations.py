"""Telling other services which sessions have ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from auth.ports.accounts import SessionStore
from servicekit.errors import AppError
from servicekit.repeating import repeat
from servicekit.revocation import Announcement
from servicekit.telemetry import get_logger

INTERVAL_SECONDS = 1.0
BATCH = 1000
# What verifiers forgive, and some time for a revocation between its moment and its commit.
MARGIN = timedelta(minutes=2)


class RevocationFeed:
    """The sessions that ended lately, read from the store every second, so that replicas hear of each other's."""

    def __init__(
        self,
        sessions: SessionStore,
        clock: Callable[[], datetime],
        access_token_lifetime: timedelta,
        *,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._remembered = access_token_lifetime + MARGIN
        self._interval = interval
        self._ended: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._is_over = False

    async def follow(self) -> None:
        """Looks for as long as the process lives."""
        await repeat("revocations", self._look, every_seconds=self._interval)

    def close(self) -> None:
        """Ends everyone's watch, so that auth can stop."""
        self._is_over = True
        self._tell()

    async def watch(self) -> AsyncIterator[Announcement]:
        """Yields the sessions that have ended, then those that end, at most 1,000 at a time."""
        # What was read a second ago lacks what ended since, and that must be named before anyone has caught up.
        await self._look_until_seen()
        told: frozenset[str] = frozenset()
        while not self._is_over:
            changed, ended = self._changed, self._ended
            for announcement in announce(ended - told):
                yield announcement
            told = ended
            await changed.wait()

    async def _look_until_seen(self) -> None:
        while not self._is_over:
            if await self._look():
                return
            await asyncio.sleep(self._interval)

    async def _look(self) -> bool:
        try:
            ended = frozenset(await self._sessions.list_revoked(self._clock() - self._remembered))
        except AppError as error:
            get_logger("auth").warning("revocations not read", reason=error.reason)
            return False
        if ended != self._ended:
            self._ended = ended
            self._tell()
        return True

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def announce(session_ids: frozenset[str]) -> list[Announcement]:
    """Returns what names all of them, the last one of which says so; one even where there is nothing to name."""
    rows = sorted(session_ids)
    starts = range(0, max(len(rows), 1), BATCH)
    return [Announcement(rows[start : start + BATCH], caught_up=start == starts[-1]) for start in starts]
