"""A bound on what a provider may send: the SDK itself would read a line of any length into memory."""

from collections.abc import AsyncIterator

import httpx2


class ResponseTooLong(Exception):
    """Raised when a provider sends more bytes than an answer can need."""


class BoundStream(httpx2.AsyncByteStream):
    """A response body of at most so many bytes."""

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
