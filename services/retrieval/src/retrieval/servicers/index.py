"""IndexService at the RPC edge."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from docuchat.retrieval.v1 import index_service_pb2 as index_pb2
from docuchat.retrieval.v1 import index_service_pb2_grpc
from retrieval.convert import read_batches, read_header, to_condition_proto, to_expected
from retrieval.indexing.indexer import Indexer
from retrieval.model import DocumentId, TenantId, VersionId
from servicekit.rpc.call import ServicerContext


class IndexServicer(index_service_pb2_grpc.IndexServiceServicer):
    """Takes chunks, activations, deletions and questions about them from other services, which name the tenant."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer

    async def IndexChunks(
        self, request_iterator: AsyncIterator[index_pb2.IndexChunksRequest], context: ServicerContext
    ) -> AsyncIterator[index_pb2.IndexChunksResponse]:
        """Confirms batch by batch what is durable."""
        requests = aiter(request_iterator)
        version = await read_header(requests)
        async with aclosing(self._indexer.index_chunks(version, read_batches(requests))) as confirmed:
            async for count in confirmed:
                yield index_pb2.IndexChunksResponse(indexed_count=count)

    async def ActivateVersion(
        self, request: index_pb2.ActivateVersionRequest, context: ServicerContext
    ) -> index_pb2.ActivateVersionResponse:
        """Makes a complete version the visible one."""
        await self._indexer.activate_version(
            TenantId(request.tenant_id),
            DocumentId(request.document_id),
            VersionId(request.version_id),
            request.chunk_count,
        )
        return index_pb2.ActivateVersionResponse(embedding_model=self._indexer.embedder.model)

    async def HideDocument(
        self, request: index_pb2.HideDocumentRequest, context: ServicerContext
    ) -> index_pb2.HideDocumentResponse:
        """Hides a document, whether or not the index answers."""
        await self._indexer.hide_document(TenantId(request.tenant_id), DocumentId(request.document_id))
        return index_pb2.HideDocumentResponse()

    async def CheckVersions(
        self, request: index_pb2.CheckVersionsRequest, context: ServicerContext
    ) -> index_pb2.CheckVersionsResponse:
        """Says which versions are searchable as they should be."""
        conditions = await self._indexer.check_versions([to_expected(version) for version in request.versions])
        return index_pb2.CheckVersionsResponse(conditions=[to_condition_proto(condition) for condition in conditions])

    async def DeleteDocument(
        self, request: index_pb2.DeleteDocumentRequest, context: ServicerContext
    ) -> index_pb2.DeleteDocumentResponse:
        """Hides a document and removes its points."""
        await self._indexer.delete_document(TenantId(request.tenant_id), DocumentId(request.document_id))
        return index_pb2.DeleteDocumentResponse()
