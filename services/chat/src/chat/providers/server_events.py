"""Server-sent events as they come off a response (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2

DRAIN_SECONDS = 0.1


class ServerEvents:
    """The data of one event after the other, up to the last one; names, ids and comments are passed over."""

    def __init__(self, body: AsyncIterator[bytes], *, last: bytes) -> None:
        self._body = body
        self._last = last
        self._held: list[bytes] = []  # of a line that has not ended
        self._data: list[bytes] = []  # of an event that has not ended
        self._ready: deque[bytes] = deque()

    async def __anext__(self) -> bytes:
        """Returns the next event's data. Raises StopAsyncIteration at the end, and what reading the body raises."""
        while not self._ready:
            self._feed(await anext(self._body))
        data = self._ready.popleft()
        if data == self._last:
            raise StopAsyncIteration
        return data

    async def drain(self) -> None:
        """Reads the end of a body that says nothing more, so that its connection can be used again."""
        with suppress(TimeoutError, httpx2.HTTPError):
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self._body:
                    pass

    def _feed(self, received: bytes) -> None:
        self._held.append(received)
        if b"\n" not in received and b"\r" not in received:
            return
        lines = b"".join(self._held).splitlines(keepends=True)
        self._held = [] if lines[-1].endswith(b"\n") else [lines.pop()]
        for line in lines:
            self._read(line.rstrip(b"\r\n"))

    def _read(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            self._ready.append(b"\n".join(self._data))
            self._data = []
