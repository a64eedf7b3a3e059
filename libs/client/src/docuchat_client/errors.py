"""What calls raise: one error type that carries code, reason, sentence and metadata."""

import re
from collections.abc import Mapping

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# The gateway answers gRPC callers in one line of text: "REASON: sentence".
GATEWAY_MESSAGE = re.compile(r"^([A-Z][A-Z0-9_]{2,63}): (.+)$", re.DOTALL)


class DocuChatError(Exception):
    """Raised when a call fails.

    `code` is a canonical code's name (google.rpc.Code), `reason` a value of an
    error_reason.proto (empty if the other side gave none), `message` a sentence
    that says what to do, `metadata` what ErrorInfo holds, among it request_id.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{message} ({reason or code})")
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_seconds = retry_after_seconds


class GatewayUnreachable(DocuChatError):
    """Raised when nothing answers at the gateway's address."""


def read_error(error: grpc.aio.AioRpcError) -> DocuChatError:
    """Returns the DocuChatError for a failed call (AIP-193)."""
    code, message = error.code().name, error.details() or ""
    reason, metadata, retry_after = "", _read_request_id(error), None
    details = _read_details(error)
    for detail in details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, metadata | dict(info.metadata)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
    if not details:
        return _read_plain(code, message)
    # What the gateway answers by itself names the request in a header only.
    sent = {**dict(error.initial_metadata() or ()), **dict(error.trailing_metadata() or ())}
    if request_id := sent.get("x-request-id"):
        metadata.setdefault("request_id", str(request_id))
    return DocuChatError(code, reason, message, metadata, retry_after_seconds=retry_after)


def _read_request_id(error: grpc.aio.AioRpcError) -> dict[str, str]:
    """Returns the gateway's header, which also comes where the gateway itself refuses."""
    for key, value in [*error.initial_metadata(), *error.trailing_metadata()]:
        if key == "x-request-id":
            return {"request_id": str(value)}
    return {}


def _read_details(error: grpc.aio.AioRpcError) -> list:  # type: ignore[type-arg] # googleapis ships no types
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):  # a status of other servers, or one that a hop has damaged
        return []
    return list(status.details) if status else []


def _read_plain(code: str, message: str) -> DocuChatError:
    found = GATEWAY_MESSAGE.match(message)
    if found:
        return DocuChatError(code, found[1], found[2])
    if code == "UNAVAILABLE":
        return GatewayUnreachable(code, "GATEWAY_UNREACHABLE", "Nothing answers at the gateway's address.")
    if code == "DEADLINE_EXCEEDED":
        return DocuChatError(code, "DEADLINE_PASSED", "The answer took longer than this call may wait.")
    return DocuChatError(code, "", message or code)
