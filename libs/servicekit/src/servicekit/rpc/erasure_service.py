"""ErasureService at the RPC edge, the same for every service that has something to erase."""

from docuchat.common.v1 import erasure_service_pb2 as pb
from docuchat.common.v1.erasure_service_pb2_grpc import ErasureServiceServicer
from servicekit.erasure import Erase, Erased, Subject
from servicekit.rpc.call import ServicerContext


class ErasureServicer(ErasureServiceServicer):
    """Erases by the one method that a service has for it."""

    def __init__(self, erase: Erase) -> None:
        self._erase = erase

    async def EraseUser(self, request: pb.EraseUserRequest, context: ServicerContext) -> pb.EraseUserResponse:
        """Removes what is a user's alone."""
        erased = await self._erase(Subject(user_id=request.user_id))
        return pb.EraseUserResponse(counts=to_counts(erased), is_complete=erased.is_complete)

    async def EraseTenant(self, request: pb.EraseTenantRequest, context: ServicerContext) -> pb.EraseTenantResponse:
        """Removes everything of a tenant."""
        erased = await self._erase(Subject(tenant_id=request.tenant_id))
        return pb.EraseTenantResponse(counts=to_counts(erased), is_complete=erased.is_complete)


def to_counts(erased: Erased) -> list[pb.ErasedCount]:
    """Returns the counts' messages, without kinds of which there was nothing."""
    return [pb.ErasedCount(kind=kind, count=count) for kind, count in sorted(erased.counts.items()) if count]
