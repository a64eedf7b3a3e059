"""What a service knows from auth: the keys that tokens are signed with, and the sessions that have ended."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import grpc

from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.config import ServiceSettings, reveal_service_secret
from servicekit.revocation import Announcement, RevokedSessions
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.rpc.status import ask, read_error
from servicekit.tokens import RemoteJwks, TokenVerifier

# A stream that lost its peer without a word is replaced after this.
WATCH_SECONDS = 300
CALL_SECONDS = 5


class Trust(NamedTuple):
    """A verifier, and the work that keeps it informed."""

    verifier: TokenVerifier
    follow: Callable[[], Awaitable[None]]


@asynccontextmanager
async def trust_auth(settings: ServiceSettings, name: str) -> AsyncIterator[Trust]:
    """Yields a verifier with what auth publishes, for as long as the block runs. Raises WrongSetting.

    `name` is the service that asks: ended sessions are told to services only.
    """
    secret = reveal_service_secret(settings)
    async with open_channel(settings.auth_target, timeout_seconds=CALL_SECONDS) as channel:
        identity = ServiceIdentity(channel, name, secret)
        # Following begins again by itself, so the channel need not.
        async with open_channel(settings.auth_target, identity=identity, retries=False) as as_service:
            revoked = RevokedSessions(lambda: watch(as_service, identity))
            keys = RemoteJwks(lambda: fetch_keys(channel))
            yield Trust(TokenVerifier(keys, settings.issuer, settings.audience, revoked=revoked), revoked.follow)


async def fetch_keys(channel: grpc.aio.Channel) -> bytes:
    """Returns auth's JWK Set. Raises AppError."""
    return bytes((await ask(AuthServiceStub(channel).GetJwks(auth_service_pb2.GetJwksRequest()))).data)


async def watch(channel: grpc.aio.Channel, identity: ServiceIdentity) -> AsyncIterator[Announcement]:
    """Yields what auth announces, for five minutes at most. Raises AppError."""
    request = auth_service_pb2.WatchRevocationsRequest()
    try:
        async for answer in AuthServiceStub(channel).WatchRevocations(request, timeout=WATCH_SECONDS):
            yield Announcement(answer.session_ids, answer.caught_up)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            # auth signs with another key since: the token is not as good as its end says.
            identity.forget()
        # The usual end; the next stream begins with all of them.
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise read_error(error) from error
