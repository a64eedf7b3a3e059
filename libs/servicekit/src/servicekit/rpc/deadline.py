"""The time the current call still has, for the calls it makes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from servicekit.rpc.call import Call

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@asynccontextmanager
async def deadline_layer(call: Call) -> AsyncIterator[None]:
    """Keeps the caller's deadline while the call runs."""
    remaining = call.context.time_remaining()
    token = _deadline.set(None if remaining is None else time.monotonic() + remaining)
    try:
        yield
    finally:
        _deadline.reset(token)


def cap_timeout(timeout_seconds: float) -> float:
    """Returns the smaller of a timeout and what the current call has left, in seconds."""
    deadline = _deadline.get()
    return timeout_seconds if deadline is None else max(0.0, min(timeout_seconds, deadline - time.monotonic()))
