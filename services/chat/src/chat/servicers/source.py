"""The RPC edge of what answers hold of documents; only ingestion calls it."""

from typing import Any

import grpc

from chat.ports import Quotes
from docuchat.chat.v1 import source_service_pb2 as pb
from docuchat.chat.v1.source_service_pb2_grpc import SourceServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SourceServicer(SourceServiceServicer):
    """Serves SourceService."""

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes

    async def EraseQuotes(
        self,
        request: pb.EraseQuotesRequest,
        context: Context,
    ) -> pb.EraseQuotesResponse:
        """Erases what the tenant's answers hold of a document."""
        count = await self._quotes.erase(request.tenant_id, request.document_id)
        return pb.EraseQuotesResponse(erased_count=count)
