"""How often and how far apart to try a provider again (full jitter, after Brooker, AWS Architecture Blog, 2015)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

from servicekit.telemetry import get_logger

Result = TypeVar("Result")
Sleep = Callable[[float], Awaitable[None]]


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


async def try_again(
    call: Callable[[], Awaitable[Result]],
    policy: RetryPolicy,
    bound: asyncio.Timeout,
    read_wait: Callable[[Exception], float | None],
    sleep: Sleep = asyncio.sleep,
) -> Result:
    """Returns what call returns; raises what its last attempt raised.

    `read_wait` says how long a failure asks to wait, in seconds, or None where
    another try is of no use. No wait begins that `bound` would cut off.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return await call()
        except Exception as error:
            asked = read_wait(error)
            wait = None if asked is None else policy.choose_wait(attempt, asked)
            if wait is None or wait >= seconds_left(bound):
                raise
            get_logger("provider").warning("attempt failed", error=type(error).__name__, attempt=attempt, wait=wait)
        await sleep(wait)


def seconds_left(bound: asyncio.Timeout) -> float:
    """Returns how long a block may still take."""
    end = bound.when()
    return float("inf") if end is None else end - asyncio.get_running_loop().time()


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
