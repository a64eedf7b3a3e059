"""How far the caller's documents are, from the ingestion service."""

import asyncio
from collections.abc import Sequence

import grpc

from docuchat.ingestion.v1 import document_pb2, document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from servicekit.rpc.status import ask

TIMEOUT_SECONDS = 1.5
MOST = 100  # what one page holds
UNDER_WAY = (
    document_pb2.Document.UPLOADED,
    document_pb2.Document.PARSING,
    document_pb2.Document.CHUNKING,
    document_pb2.Document.INDEXING,
)


class GrpcDocumentProgress:
    """Asks DocumentService; the channel forwards the caller's token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DocumentServiceStub(channel)

    async def count_in_progress(self, *, document_ids: Sequence[str], collection_ids: Sequence[str]) -> int:
        """Returns how many documents cannot be searched yet: the newest hundred of each state are looked at."""
        pages = await asyncio.gather(*map(self._list, UNDER_WAY))
        # One that goes from state to state between two of the calls is counted once.
        found = {
            document.document_id
            for page in pages
            for document in page
            if (not document_ids or document.document_id in document_ids)
            and (not collection_ids or document.collection_id in collection_ids)
        }
        return min(len(found), MOST)

    async def _list(self, state: document_pb2.Document.State) -> Sequence[document_pb2.Document]:
        request = document_service_pb2.ListDocumentsRequest(page_size=MOST, state=state)
        return (await ask(self._stub.ListDocuments(request, timeout=TIMEOUT_SECONDS))).documents
