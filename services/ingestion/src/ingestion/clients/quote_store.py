"""The quotes in answers, which the chat service owns."""

import grpc

from docuchat.chat.v1 import source_service_pb2 as pb
from docuchat.chat.v1.source_service_pb2_grpc import SourceServiceStub
from ingestion.model import DocumentId, TenantId
from servicekit.rpc.status import ask

CALL_SECONDS = 30.0


class GrpcQuoteStore:
    """A QuoteStore over the channel to chat, which must send this service's own token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SourceServiceStub(channel)

    async def erase(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Erases what answers hold of the document; doing it again changes nothing. Raises AppError."""
        request = pb.EraseQuotesRequest(tenant_id=tenant_id, document_id=document_id)
        await ask(self._stub.EraseQuotes(request, timeout=CALL_SECONDS))
