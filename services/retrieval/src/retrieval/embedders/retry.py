"""Calling embedding providers with the one retry policy; their SDKs' own retries are off."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from retrieval.errors import EmbedderRefused, EmbedderUnavailable
from servicekit.hosted import ResponseTooLong, is_refusal, may_pass, open_client, read_asked_seconds
from servicekit.retrying import RetryPolicy, read_target, try_again
from servicekit.telemetry import get_logger

Result = TypeVar("Result")
# How the SDKs fail on an answer that is not what they expect.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
# The largest batch is 280 KB of texts; its vectors, written out as JSON, come to some 20 MB.
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
QUERY_SECONDS = 15.0
REQUEST_SECONDS = 30.0


@dataclass(frozen=True)
class Failure:
    """How one attempt failed; status is 0 where no answer came, 200 where it could not be read."""

    status: int
    headers: Mapping[str, str]

    @property
    def wait_seconds(self) -> float | None:
        """What the provider asked to wait, 0 if nothing readable; None where asking again is of no use."""
        return read_asked_seconds(self.headers) if may_pass(self.status) else None


@dataclass(frozen=True)
class BoundedRetryPolicy(RetryPolicy):
    """The retry policy, and how long all attempts together may take."""

    total_seconds: float = 60.0


def open_http() -> httpx2.AsyncClient:
    """Makes the HTTP client of an embedder."""
    return open_client(limit_bytes=MAX_RESPONSE_BYTES, silence_seconds=REQUEST_SECONDS)


async def call_provider(
    call: Callable[[], Awaitable[Result]],
    policy: BoundedRetryPolicy,
    errors: tuple[type[Exception], ...],
    read_failure: Callable[[Exception], Failure],
) -> Result:
    """Returns what call returns, tried up to policy.attempts times. Raises EmbedderUnavailable, EmbedderRefused."""

    def read_wait(error: Exception) -> float | None:
        return read_failure(error).wait_seconds if isinstance(error, errors) else None

    try:
        async with asyncio.timeout(policy.total_seconds) as bound:
            return await try_again(call, policy, bound, read_wait)
    except TimeoutError as error:
        get_logger("embedder").warning("embedding took too long", seconds=policy.total_seconds)
        raise EmbedderUnavailable from error
    except (*UNREADABLE, ResponseTooLong) as error:
        get_logger("embedder").warning("embedding could not be read", error=type(error).__name__)
        raise EmbedderUnavailable from error
    except errors as error:
        # The text of the error is the provider's and may quote the document: only its kind is logged.
        failure = read_failure(error)
        get_logger("embedder").warning(
            "embedding failed", error=type(error).__name__, status=failure.status, url=read_target(error)
        )
        raise (EmbedderRefused(failure.status) if is_refusal(failure.status) else EmbedderUnavailable()) from error
