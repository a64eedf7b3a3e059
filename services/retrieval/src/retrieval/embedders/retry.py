"""The one retry policy for embedding providers; their SDKs' own retries are off."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from retrieval.model import EmbedderUnavailable
from servicekit.telemetry import get_logger

Result = TypeVar("Result")
# How the SDKs fail on an answer that is not what they expect.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class Failure:
    """How one attempt failed; status is 0 where no answer came."""

    status: int
    headers: Mapping[str, str]

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in (0, 408, 429) or self.status >= 500

    @property
    def retry_after_seconds(self) -> float:
        """What the provider asked to wait, 0 if nothing readable (RFC 9110, seconds only)."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.replace(".", "", 1).isdecimal() else 0.0


@dataclass(frozen=True)
class RetryPolicy:
    """Full jitter (AWS Architecture Blog, 2015): each wait is random between 0 and a growing limit, in seconds."""

    attempts: int = 3
    first_limit: float = 0.5
    longest_wait: float = 8.0
    total_seconds: float = 60.0

    def choose_wait(self, attempt: int, failure: Failure) -> float:
        """Returns the wait after a failed attempt, counted from 1: no less than asked for, never over longest_wait."""
        jitter = random.uniform(0, self.first_limit * 2 ** (attempt - 1))  # noqa: S311 - jitter is no secret
        return min(max(jitter, failure.retry_after_seconds), self.longest_wait)


async def call_provider(
    call: Callable[[], Awaitable[Result]],
    policy: RetryPolicy,
    errors: tuple[type[Exception], ...],
    read_failure: Callable[[Exception], Failure],
) -> Result:
    """Returns what call returns, tried up to policy.attempts times. Raises EmbedderUnavailable."""
    try:
        async with asyncio.timeout(policy.total_seconds):
            for attempt in range(1, policy.attempts):
                try:
                    return await call()
                except errors as error:
                    failure = read_failure(error)
                    if not failure.may_pass:
                        raise
                    await asyncio.sleep(policy.choose_wait(attempt, failure))
            return await call()
    except TimeoutError as error:
        get_logger("embedder").warning("embedding took too long", seconds=policy.total_seconds)
        raise EmbedderUnavailable from error
    except UNREADABLE as error:
        get_logger("embedder").warning("embedding could not be read", error=type(error).__name__)
        raise EmbedderUnavailable from error
    except errors as error:
        # The text of the error is the provider's and may quote the document: only its kind is logged.
        failure = read_failure(error)
        get_logger("embedder").warning("embedding failed", error=type(error).__name__, status=failure.status)
        raise EmbedderUnavailable from error
