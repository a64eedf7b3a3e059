"""Which sessions have ended while access tokens of theirs may still be good."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable

from servicekit.errors import AppError
from servicekit.telemetry import get_logger

# The longest life of an access token, and the leeway of whoever verifies it.
KEEP_SECONDS = 3600 + 60
RETRY_SECONDS = 1.0

Watch = Callable[[], AsyncIterator[Iterable[str]]]


class RevokedSessions:
    """The ended sessions this process has heard of. While auth is silent nothing is added and nothing is refused."""

    def __init__(self, watch: Watch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._watch = watch
        self._clock = clock
        self._forget_at: dict[str, float] = {}

    def __contains__(self, session_id: object) -> bool:
        """Tells whether a session has ended."""
        return session_id in self._forget_at

    async def follow(self) -> None:
        """Listens for as long as the process lives, and begins again where the stream ends."""
        while True:
            try:
                async for session_ids in self._watch():
                    self._note(session_ids)
            except AppError as error:
                get_logger("revocation").warning("revocations not followed", reason=error.reason)
            await asyncio.sleep(RETRY_SECONDS)

    def _note(self, session_ids: Iterable[str]) -> None:
        now = self._clock()
        # In the order in which they came, so the oldest are at the front.
        kept = {session_id: end for session_id, end in self._forget_at.items() if end > now}
        self._forget_at = kept | dict.fromkeys(session_ids, now + KEEP_SECONDS)
