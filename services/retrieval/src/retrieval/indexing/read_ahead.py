"""One step of look-ahead in a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

Item = TypeVar("Item")


async def read_ahead(source: AsyncIterator[Item]) -> AsyncGenerator[Item, None]:
    """Yields the items of source, making the next one while the caller works on this one.

    Never holds more than that one item, so a slow caller slows the source down.
    """
    ahead = asyncio.create_task(_advance(source))
    try:
        while (item := await ahead) is not None:
            ahead = asyncio.create_task(_advance(source))
            yield item
    finally:
        ahead.cancel()
        # Whoever made the source closes it next, which needs it to stand still; its error, if any, comes second.
        await asyncio.gather(ahead, return_exceptions=True)


async def _advance(source: AsyncIterator[Item]) -> Item | None:
    return await anext(source, None)
