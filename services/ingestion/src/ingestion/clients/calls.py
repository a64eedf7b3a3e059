"""Calls to other services: what they answer, or an AppError."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc

from servicekit.errors import AppError, Code
from servicekit.rpc.status import read_error

Answer = TypeVar("Answer")


async def ask(call: Awaitable[Answer]) -> Answer:
    """Returns the answer of a call. Raises AppError."""
    with translated():
        return await call


@contextmanager
def translated() -> Iterator[None]:
    """Raises AppError for what grpc and clocks raise."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise read_error(error) from error
    except TimeoutError as error:
        raise AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "A service stopped answering; try again.") from error
