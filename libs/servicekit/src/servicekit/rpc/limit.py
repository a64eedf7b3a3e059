"""How many calls a process works on at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.errors import AppError, Code
from servicekit.rpc.call import Call, Layer, is_infrastructure


class Overloaded(AppError):
    """Raised when a process has as many calls running as it may."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "OVERLOADED",
            "The service is at its limit at this moment; try again in a second.",
            retry_after_seconds=1,
        )


def limit_layer(most: int) -> Layer:
    """Returns the layer that refuses calls beyond `most` with our own words; health checks always pass."""
    running = 0

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        nonlocal running
        if running >= most and not is_infrastructure(call.method):
            raise Overloaded
        running += 1
        try:
            yield
        finally:
            running -= 1

    return layer
