"""The time the current call still has, for the calls it makes."""

import time
from contextvars import ContextVar, Token
from types import TracebackType

from servicekit.rpc.call import Call

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class Deadline:
    """Keeps the caller's deadline while the call runs."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        remaining = self._call.context.time_remaining()
        self._token: Token[float | None] = _deadline.set(None if remaining is None else time.monotonic() + remaining)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _deadline.reset(self._token)


def cap_timeout(timeout_seconds: float) -> float:
    """Returns the smaller of a timeout and what the current call has left, in seconds."""
    deadline = _deadline.get()
    return timeout_seconds if deadline is None else max(0.0, min(timeout_seconds, deadline - time.monotonic()))
