"""Channels to other services: deadline, identity, trace and retries in one place."""

import json
import time
from asyncio import Lock
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import ClientCallDetails, Metadata

from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.identity import find_principal
from servicekit.rpc.call import FORWARDED
from servicekit.rpc.deadline import cap_timeout
from servicekit.rpc.status import read_error
from servicekit.telemetry import trace_carrier

TokenSource = Callable[[], Awaitable[str]]
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_METADATA_BYTES = 64 * 1024
RENEW_BEFORE_SECONDS = 120
RETRY_POLICY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # The status of a request with twenty violations is longer than gRPC's 8 KiB.
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY_POLICY}]})),
    # A peer that is restarted should be found again at once, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


async def forward_caller() -> str:
    """Returns the current caller's token, or nothing where nobody calls."""
    principal = find_principal()
    return principal.token if principal else ""


class ServiceIdentity:
    """A TokenSource for calls a service makes on its own account."""

    def __init__(
        self, channel: grpc.aio.Channel, service_name: str, secret: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stub = AuthServiceStub(channel)
        self._request = auth_service_pb2.IssueServiceTokenRequest(service_name=service_name, service_secret=secret)
        self._clock = clock
        self._token = ""
        self._renew_at = float("-inf")
        self._lock = Lock()

    async def __call__(self) -> str:
        """Returns a service token, a new one shortly before the old one ends. Raises AppError."""
        async with self._lock:
            if self._clock() >= self._renew_at:
                await self._renew()
            return self._token

    def forget(self) -> None:
        """Makes the next call ask for a new token."""
        self._renew_at = float("-inf")

    async def _renew(self) -> None:
        try:
            answer = await self._stub.IssueServiceToken(self._request)
        except grpc.aio.AioRpcError as error:
            raise read_error(error) from error
        self._token = answer.access_token
        self._renew_at = self._clock() + answer.expires_in_seconds - RENEW_BEFORE_SECONDS


class _Outfit:
    """What every outgoing call carries."""

    def __init__(self, identity: TokenSource, timeout_seconds: float) -> None:
        self._identity = identity
        self._timeout_seconds = timeout_seconds

    async def dress(self, details: ClientCallDetails) -> ClientCallDetails:
        """Adds deadline, token and trace context to a call."""
        metadata = Metadata(*(details.metadata or ()))
        token = await self._identity()
        if token:
            metadata.add("authorization", f"Bearer {token}")
        if find_principal():
            metadata.add(FORWARDED, "1")
        for key, value in trace_carrier().items():
            metadata.add(key, value)
        timeout = cap_timeout(self._timeout_seconds if details.timeout is None else details.timeout)
        return ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


# grpc.aio sorts interceptors by the first of these four types it finds, so each shape needs a class of its own.
class _UnaryUnary(_Outfit, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:  # noqa: ANN401
        return await continuation(await self.dress(client_call_details), request)


class _UnaryStream(_Outfit, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:  # noqa: ANN401
        return await continuation(await self.dress(client_call_details), request)


class _StreamUnary(_Outfit, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:  # noqa: ANN401
        return await continuation(await self.dress(client_call_details), request_iterator)


class _StreamStream(_Outfit, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:  # noqa: ANN401
        return await continuation(await self.dress(client_call_details), request_iterator)


def open_channel(
    target: str, *, identity: TokenSource = forward_caller, timeout_seconds: float = 10, retries: bool = True
) -> grpc.aio.Channel:
    """Opens a channel to a service; connects when first used.

    Every call gets the smaller of its own timeout (or `timeout_seconds`) and
    what the current call has left, the token of `identity`, and the trace.
    UNAVAILABLE is tried three times in all, before any answer has begun;
    `retries=False` is for callers that a retry policy of their own stands above.
    """
    shapes = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    interceptors = [shape(identity, timeout_seconds) for shape in shapes]
    options = (*CHANNEL_OPTIONS, ("grpc.enable_retries", int(retries)))
    return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
