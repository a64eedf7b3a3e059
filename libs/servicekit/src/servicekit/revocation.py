"""Which sessions have ended while access tokens of theirs may still be good."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from servicekit.errors import DependencyUnavailable
from servicekit.repeating import repeat

# The longest life of an access token, and the leeway of whoever verifies it.
KEEP_SECONDS = 3600 + 60
RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Announcement:
    """Sessions that have ended; `caught_up` once all that ended before the stream began have been named."""

    session_ids: Sequence[str]
    caught_up: bool


Watch = Callable[[], AsyncIterator[Announcement]]


class RevokedSessions:
    """The ended sessions this process has heard of, from `source`.

    Until all of them have been named once, no token can be judged. Afterwards
    the silence of `source` stops nothing: what is known stays, nothing is added.
    """

    def __init__(self, watch: Watch, *, source: str = "auth", clock: Callable[[], float] = time.monotonic) -> None:
        self._watch = watch
        self._source = source
        self._clock = clock
        self._forget_at: dict[str, float] = {}
        self._caught_up = asyncio.Event()

    async def includes(self, session_id: str) -> bool:
        """Tells whether a session has ended; waits two seconds at most. Raises DependencyUnavailable."""
        if not self._caught_up.is_set() and session_id not in self._forget_at:
            await self._wait()
        return session_id in self._forget_at

    async def follow(self) -> None:
        """Listens for as long as the process lives, and begins again where the stream ends."""
        await repeat("revocation", self._listen, every_seconds=RETRY_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._caught_up.wait()
        except TimeoutError as error:
            raise DependencyUnavailable(self._source) from error

    async def _listen(self) -> None:
        async with aclosing(self._watch()) as announcements:  # type: ignore[type-var]
            async for announcement in announcements:
                self._note(announcement.session_ids)
                if announcement.caught_up:
                    self._caught_up.set()

    def _note(self, session_ids: Sequence[str]) -> None:
        now = self._clock()
        for session_id in session_ids:
            # Named again it goes to the end, so that the oldest are always at the front.
            self._forget_at.pop(session_id, None)
            self._forget_at[session_id] = now + KEEP_SECONDS
        while self._forget_at and self._forget_at[oldest := next(iter(self._forget_at))] <= now:
            del self._forget_at[oldest]
