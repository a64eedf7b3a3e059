"""Asking hosted models over HTTP: how much may come back, what a refusal means, how long it asks to wait."""

from collections.abc import AsyncIterator, Mapping

import httpx2

from servicekit.retrying import read_retry_after

LONGEST_ASKED_SECONDS = 60.0


class ResponseTooLong(Exception):
    """Raised when a provider sends more bytes than an answer can need."""


class BoundStream(httpx2.AsyncByteStream):
    """A response body of at most so many bytes: an SDK itself would read a line of any length into memory."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields the body. Raises ResponseTooLong."""
        left = self._limit
        async for data in self._stream:
            left -= len(data)
            if left < 0:
                raise ResponseTooLong
            yield data

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._stream.aclose()


def open_client(*, limit_bytes: int, silence_seconds: float) -> httpx2.AsyncClient:
    """Makes an HTTP client whose responses are bounded in size and in silence, and that follows no redirect."""

    async def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = BoundStream(response.stream, limit_bytes)

    timeout = httpx2.Timeout(silence_seconds, connect=min(5.0, silence_seconds))
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=20)
    # Compressed bodies could unfold after they were counted.
    headers = {"accept-encoding": "identity"}
    return httpx2.AsyncClient(
        timeout=timeout, limits=limits, headers=headers, follow_redirects=False, event_hooks={"response": [bound]}
    )


def may_pass(status: int) -> bool:
    """Whether the same request may succeed later; status is 0 where no answer came."""
    return status in (0, 408, 409, 429) or status >= 500


def is_refusal(status: int) -> bool:
    """Whether the provider will not take this request: its key, its model, its size."""
    return 400 <= status < 500 and not may_pass(status)


def read_asked_seconds(headers: Mapping[str, str]) -> float:
    """Returns the seconds a response asks to wait, at most 60; 0 where it names none."""
    milliseconds = read_retry_after(headers.get("retry-after-ms"))  # the same number in finer steps, from some
    return clamp_wait(milliseconds / 1000 or read_retry_after(headers.get("retry-after")))


def clamp_wait(seconds: float) -> float:
    """Returns a wait that a client can be asked for, in seconds."""
    return min(seconds, LONGEST_ASKED_SECONDS)
