"""The one error gate: whatever a handler raises becomes a status with one ErrorInfo."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import NoReturn

import grpc

from servicekit.errors import AppError, Code
from servicekit.rpc.call import Call
from servicekit.rpc.status import build_status, status_metadata, to_grpc_code
from servicekit.telemetry import get_logger

DISCARD_SECONDS = 2


class InternalError(AppError):
    """Raised in place of anything unforeseen; what it was is in the log only."""

    def __init__(self) -> None:
        super().__init__(
            Code.INTERNAL, "INTERNAL_ERROR", "Something went wrong on our side; report the request id if it stays so."
        )


class DeadlinePassed(AppError):
    """Raised when an outward call took longer than this call may."""

    def __init__(self) -> None:
        super().__init__(
            Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "The time allowed ran out before the work was done; try again."
        )


async def end_with_status(call: Call, error: Exception, service: str) -> None:
    """Ends a failed call with a rich status of the service's domain, by raising; returns where gRPC knows the end."""
    if isinstance(error, grpc.aio.AbortError | NotImplementedError):
        return
    if isinstance(error, AppError):
        await abort(call, error, service)
    if isinstance(error, TimeoutError):
        await abort(call, DeadlinePassed(), service)
    # Whatever a handler raises must end as a status and never reach the caller as text.
    get_logger("rpc").error("call failed", method=call.method, request_id=call.request_id, exc_info=error)
    await abort(call, InternalError(), service)


async def abort(call: Call, error: AppError, service: str) -> NoReturn:
    """Ends a call with an error's status. Always raises."""
    if call.requests is not None:
        await discard(call.requests)
    status = build_status(error, f"{service}.docuchat", call.request_id)
    await call.context.abort(to_grpc_code(error.code), error.message, status_metadata(status, error))


async def discard(requests: AsyncIterator[object]) -> None:
    """Reads what a client is still sending, for two seconds at most.

    A client of grpc.aio that is in the middle of sending when its call ends
    sees INTERNAL instead of the status it was given; one that is heard out
    sees why its upload was refused.
    """
    with suppress(TimeoutError, grpc.aio.UsageError, asyncio.InvalidStateError):
        async with asyncio.timeout(DISCARD_SECONDS):
            async for _ in requests:
                pass
