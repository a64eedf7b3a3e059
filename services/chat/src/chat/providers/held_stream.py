"""A stream that closes its connection when it is left, even if the SDK around it does not."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from typing import Generic, Self, TypeVar

import httpx2

Chunk = TypeVar("Chunk")


class ResponseHolder:
    """Tells which response belongs to which stream: add `hold` to the HTTP client's response hooks."""

    def __init__(self) -> None:
        self._reading: ContextVar[list[httpx2.Response]] = ContextVar("reading")

    async def hold(self, response: httpx2.Response) -> None:
        """Notes a response for the stream that is being read."""
        self._reading.get([]).append(response)

    async def read(self, chunks: AsyncIterator[Chunk], responses: list[httpx2.Response]) -> Chunk:
        """Returns the next chunk, and adds any response that was opened for it to the list."""
        token = self._reading.set(responses)
        try:
            return await anext(chunks)
        finally:
            self._reading.reset(token)


class HeldStream(Generic[Chunk]):
    """The chunks of an SDK whose generators form a cycle: closing the outermost would leave the connection open
    until the garbage collector comes by.
    """

    def __init__(self, chunks: AsyncIterator[Chunk], holder: ResponseHolder) -> None:
        self._chunks = chunks
        self._holder = holder
        self._responses: list[httpx2.Response] = []

    async def __aenter__(self) -> Self:
        """Returns itself."""
        return self

    async def __anext__(self) -> Chunk:
        """Returns the next chunk. Raises what the SDK raises, and StopAsyncIteration."""
        return await self._holder.read(self._chunks, self._responses)

    async def __aexit__(self, *_: object) -> None:
        """Closes the connection."""
        for response in self._responses:
            await response.aclose()
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()
