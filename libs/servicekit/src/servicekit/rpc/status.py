"""AppError to google.rpc.Status and back (AIP-193)."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.any import pack
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from servicekit.errors import AppError, Code, QuotaViolation

CHALLENGE_KEY = "www-authenticate"
CHALLENGE = 'Bearer realm="docuchat"'
TOKEN_REFUSED = {"TOKEN_EXPIRED", "TOKEN_INVALID"}
# A client's retry policy heeds it (gRFC A6, pushback).
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
NUMBERS = {code.name: code for code in grpc.StatusCode}

Answer = TypeVar("Answer")


def to_grpc_code(code: Code) -> grpc.StatusCode:
    """Returns grpc's object for a canonical code."""
    return NUMBERS[code.value]


def build_status(error: AppError, domain: str, request_id: str) -> status_pb2.Status:
    """Returns the status of an error: exactly one ErrorInfo, and what else applies."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)
    info.metadata["request_id"] = request_id
    details: list[Message] = [info]
    if error.violations:
        rows = [
            error_details_pb2.BadRequest.FieldViolation(field=row.field, description=row.description)
            for row in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=rows))
    if error.quota_violations:
        reached = [
            error_details_pb2.QuotaFailure.Violation(subject=row.subject, description=row.description)
            for row in error.quota_violations
        ]
        details.append(error_details_pb2.QuotaFailure(violations=reached))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    number, _ = to_grpc_code(error.code).value
    return status_pb2.Status(code=number, message=error.message, details=map(pack, details))


def status_metadata(status: status_pb2.Status, error: AppError) -> tuple[tuple[str, str | bytes], ...]:
    """Returns the trailing metadata that carries a status; for HTTP it says which credentials are asked for."""
    challenge = ((CHALLENGE_KEY, choose_challenge(error)),) if error.code is Code.UNAUTHENTICATED else ()
    return (*rpc_status.to_status(status).trailing_metadata, *challenge, *((NO_RETRY,) if error.retried else ()))


def choose_challenge(error: AppError) -> str:
    """Returns the challenge that RFC 9110 wants with every 401, with the error of RFC 6750 where a token was sent."""
    return f'{CHALLENGE}, error="invalid_token"' if error.reason in TOKEN_REFUSED else CHALLENGE


async def ask(call: Awaitable[Answer]) -> Answer:
    """Returns what a peer answers to a call. Raises AppError."""
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


def read_error(error: grpc.aio.AioRpcError) -> AppError:
    """Returns the AppError a peer answered with; a peer that is no DocuChat service gives code and text.

    One that did not answer in time is UNAVAILABLE.
    """
    details = _read_details(error)
    code = Code(error.code().name)
    # A peer that hangs is as far away as one that is down, and whose clock ran out first is chance.
    if code is Code.DEADLINE_EXCEEDED:
        code, details = Code.UNAVAILABLE, []
    # A DocuChat service never answers INTERNAL without details. gRPC itself does, when a peer ends a client's
    # stream early and the status is lost on the way, so this one may be tried again.
    if code is Code.INTERNAL and not details:
        code = Code.UNAVAILABLE
    reason, metadata, retry_after = default_reason(code), dict[str, str](), None
    reached: list[QuotaViolation] = []
    for detail in details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        quota = error_details_pb2.QuotaFailure()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
        elif detail.Unpack(quota):
            reached = [QuotaViolation(row.subject, row.description) for row in quota.violations]
    message = (details and error.details()) or "A service this one needs does not answer; try again."
    return AppError(code, reason, message, metadata=metadata, retry_after_seconds=retry_after, quota_violations=reached)


def _read_details(error: grpc.aio.AioRpcError) -> list[any_pb2.Any]:
    # A status that cannot be read, or is not the one of this call.
    with suppress(DecodeError, ValueError):
        found = rpc_status.from_call(error)
        return list(found.details) if found else []
    return []


def default_reason(code: Code) -> str:
    """Returns the common reason for a status that gave none."""
    return "DEPENDENCY_UNAVAILABLE" if code is Code.UNAVAILABLE else "INTERNAL_ERROR"
