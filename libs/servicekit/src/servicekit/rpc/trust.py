"""What a service knows from auth: the keys that tokens are signed with, and the sessions that have ended."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import grpc

from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.config import ServiceSettings
from servicekit.revocation import RevokedSessions
from servicekit.rpc.client import open_channel
from servicekit.rpc.status import read_error
from servicekit.tokens import RemoteJwks, TokenVerifier

# A stream that lost its peer without a word is replaced after this.
WATCH_SECONDS = 300


def trust_auth(settings: ServiceSettings) -> tuple[TokenVerifier, Callable[[], Awaitable[None]]]:
    """Makes a verifier with what auth publishes; returns it with the work that keeps it informed."""
    stub = AuthServiceStub(open_channel(settings.auth_target, timeout_seconds=5))

    async def fetch() -> bytes:
        try:
            return bytes((await stub.GetJwks(auth_service_pb2.GetJwksRequest())).data)
        except grpc.aio.AioRpcError as error:
            raise read_error(error) from error

    async def watch() -> AsyncIterator[Sequence[str]]:
        try:
            async for answer in stub.WatchRevocations(
                auth_service_pb2.WatchRevocationsRequest(), timeout=WATCH_SECONDS
            ):
                yield answer.session_ids
        except grpc.aio.AioRpcError as error:
            # The usual end; the next stream begins with all of them.
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise read_error(error) from error

    revoked = RevokedSessions(watch)
    return TokenVerifier(RemoteJwks(fetch), settings.issuer, settings.audience, revoked=revoked), revoked.follow
