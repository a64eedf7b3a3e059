"""How much may be under way before the other side has confirmed it."""

import asyncio


class SendWindow:
    """Counts what was sent and confirmed, so that a slow index fills neither its memory nor the network's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sent = 0
        self._confirmed = 0
        self._closed = False
        self._changed = asyncio.Event()

    async def reserve(self, count: int) -> bool:
        """Waits until `count` more may be sent; False once the window is closed."""
        while not self._closed and self._sent - self._confirmed > self._limit - count:
            self._changed.clear()
            await self._changed.wait()
        self._sent += count
        return not self._closed

    def confirm(self, total: int) -> None:
        """Notes that `total` of what was sent is durable."""
        self._confirmed = max(self._confirmed, total)
        self._changed.set()

    def close(self) -> None:
        """Lets whoever waits go: nothing more will be confirmed."""
        self._closed = True
        self._changed.set()
