"""Services that erase their part, over ErasureService: the same for every service."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import grpc

from auth.ports.accounts import TokenSigner
from docuchat.common.v1 import erasure_service_pb2 as pb
from docuchat.common.v1.erasure_service_pb2_grpc import ErasureServiceStub
from servicekit.erasure import Erased, Subject
from servicekit.identity import Role
from servicekit.rpc.client import TokenSource
from servicekit.rpc.status import ask

# A service does a bounded part of the work in a call, and stops well before this.
CALL_SECONDS = 60.0
TOKEN_LIFETIME = timedelta(minutes=5)


class GrpcEraser:
    """An Eraser over the channel to a service, which must send auth's own token."""

    def __init__(self, service: str, channel: grpc.aio.Channel) -> None:
        self.service = service
        self._stub = ErasureServiceStub(channel)

    async def erase(self, subject: Subject) -> Erased:
        """Has the service do a part of the work. Raises AppError."""
        if subject.user_id:
            user = pb.EraseUserRequest(user_id=subject.user_id)
            answer = await ask(self._stub.EraseUser(user, timeout=CALL_SECONDS))
            return Erased(read_counts(answer.counts), answer.is_complete)
        tenant = pb.EraseTenantRequest(tenant_id=subject.tenant_id)
        reply = await ask(self._stub.EraseTenant(tenant, timeout=CALL_SECONDS))
        return Erased(read_counts(reply.counts), reply.is_complete)


def sign_as_auth(tokens: TokenSigner, clock: Callable[[], datetime]) -> TokenSource:
    """Returns what gives calls of auth itself a token: who signs tokens need not ask for one."""

    async def identity() -> str:
        now = clock()
        return tokens.sign(subject="auth", role=Role.SERVICE, now=now, expire_time=now + TOKEN_LIFETIME)

    return identity


def read_counts(counts: Iterable[pb.ErasedCount]) -> dict[str, int]:
    """Returns counts by kind."""
    return {count.kind: count.count for count in counts}
