"""Calling embedding providers with the one retry policy; their SDKs' own retries are off."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from retrieval.errors import EmbedderRefused, EmbedderUnavailable
from servicekit.retrying import RetryPolicy, read_retry_after, read_target
from servicekit.telemetry import get_logger

Result = TypeVar("Result")
# How the SDKs fail on an answer that is not what they expect.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class Failure:
    """How one attempt failed; status is 0 where no answer came, 200 where it could not be read."""

    status: int
    headers: Mapping[str, str]

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in (0, 408, 429) or self.status >= 500

    @property
    def is_refusal(self) -> bool:
        """Whether the provider will not take this request: its key, its model, its size."""
        return 400 <= self.status < 500 and not self.may_pass

    @property
    def retry_after_seconds(self) -> float:
        """What the provider asked to wait; 0 if nothing readable."""
        return read_retry_after(self.headers.get("retry-after"))


@dataclass(frozen=True)
class BoundedRetryPolicy(RetryPolicy):
    """The retry policy, and how long all attempts together may take."""

    total_seconds: float = 60.0


async def call_provider(
    call: Callable[[], Awaitable[Result]],
    policy: BoundedRetryPolicy,
    errors: tuple[type[Exception], ...],
    read_failure: Callable[[Exception], Failure],
) -> Result:
    """Returns what call returns, tried up to policy.attempts times. Raises EmbedderUnavailable, EmbedderRefused."""
    try:
        async with asyncio.timeout(policy.total_seconds):
            attempt = 0
            while True:
                attempt += 1
                try:
                    return await call()
                except errors as error:
                    failure = read_failure(error)
                    wait = policy.choose_wait(attempt, failure.retry_after_seconds)
                    if wait is None or not failure.may_pass:
                        raise
                await asyncio.sleep(wait)
    except TimeoutError as error:
        get_logger("embedder").warning("embedding took too long", seconds=policy.total_seconds)
        raise EmbedderUnavailable from error
    except UNREADABLE as error:
        get_logger("embedder").warning("embedding could not be read", error=type(error).__name__)
        raise EmbedderUnavailable from error
    except errors as error:
        # The text of the error is the provider's and may quote the document: only its kind is logged.
        failure = read_failure(error)
        get_logger("embedder").warning(
            "embedding failed", error=type(error).__name__, status=failure.status, url=read_target(error)
        )
        raise (EmbedderRefused(failure.status) if failure.is_refusal else EmbedderUnavailable()) from error
