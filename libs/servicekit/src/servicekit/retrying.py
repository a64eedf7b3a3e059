"""How often and how far apart to try a provider again (full jitter, after Brooker, AWS Architecture Blog, 2015)."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries; waits are random between 0 and a limit that doubles, in seconds."""

    attempts: int = 3
    first_limit: float = 0.5
    cap: float = 4.0
    longest_wait: float = 8.0
    """Who asks for more than this gets no further try: coming back earlier than asked would be refused again."""

    def choose_wait(self, attempt: int, asked_seconds: float = 0.0) -> float | None:
        """Returns the wait after a failed attempt, counted from 1, no less than asked; None where it was the last."""
        if attempt >= self.attempts or asked_seconds > self.longest_wait:
            return None
        limit = min(self.cap, self.first_limit * 2 ** (attempt - 1))
        return max(asked_seconds, random.uniform(0, limit))  # noqa: S311 - spreads load, hides nothing


def read_retry_after(header: str | None, now: datetime | None = None) -> float:
    """Returns the seconds a Retry-After header asks for (RFC 9110: a number or a date); 0 where it says nothing."""
    text = (header or "").strip()
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())


def read_target(error: BaseException) -> str:
    """Returns the address that a failed HTTP call went to, as httpx and what wraps it keep it; empty if none is kept.

    User and query are left out: either may hold a key.
    """
    seen: BaseException | None = error
    while seen is not None:
        try:
            # httpx raises RuntimeError for an error that knows no request.
            parts = urlsplit(str(seen.request.url))  # type: ignore[attr-defined]
        except (AttributeError, RuntimeError):
            seen = seen.__cause__
        else:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return ""
