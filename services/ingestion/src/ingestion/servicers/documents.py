"""The RPC edge of DocumentService."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.api.httpbody_pb2 import HttpBody

from docuchat.ingestion.v1 import document_service_pb2 as pb
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceServicer
from ingestion.convert import (
    content_headers,
    to_caller,
    to_chunk_proto,
    to_document_proto,
    to_range_text_proto,
    to_state,
    to_text_range,
)
from ingestion.library.documents import DocumentReader
from ingestion.model import CollectionId, DocumentFilter, DocumentId
from ingestion.pipeline.delete import request_delete
from ingestion.pipeline.receive import UploadReceiver
from ingestion.ports import DocumentStore, PassageIndex
from ingestion.servicers.frames import Pace, open_upload
from servicekit.identity import current_principal
from servicekit.rpc.call import ServicerContext
from servicekit.rpc.paging import cut_page, decode_number, decode_row_key, page_size
from servicekit.telemetry import trace_carrier

PAGES = "documents"
LAST_CHUNK = 10**9 - 1
BINARY = "application/octet-stream"


class DocumentServicer(DocumentServiceServicer):
    """Takes documents in and gives back what was made of them."""

    def __init__(
        self,
        receiver: UploadReceiver,
        reader: DocumentReader,
        documents: DocumentStore,
        index: PassageIndex,
        pace: Pace,
    ) -> None:
        self._receiver = receiver
        self._reader = reader
        self._documents = documents
        self._index = index
        self._pace = pace

    async def UploadDocuments(
        self, request_iterator: AsyncIterator[pb.UploadDocumentsRequest], context: ServicerContext
    ) -> pb.UploadDocumentsResponse:
        """Stores one file or several and queues them."""
        upload = await open_upload(request_iterator, self._pace)
        documents = await self._receiver.receive(to_caller(current_principal()), upload, trace_carrier())
        return pb.UploadDocumentsResponse(documents=[to_document_proto(document) for document in documents])

    async def CreateDocumentFromText(
        self, request: pb.CreateDocumentFromTextRequest, context: ServicerContext
    ) -> pb.CreateDocumentFromTextResponse:
        """Stores text that is no file and queues it."""
        caller = to_caller(current_principal())
        document = await self._receiver.receive_text(
            caller, CollectionId(request.collection_id), request.filename, request.text, trace_carrier()
        )
        return pb.CreateDocumentFromTextResponse(document=to_document_proto(document))

    async def GetDocument(self, request: pb.GetDocumentRequest, context: ServicerContext) -> pb.GetDocumentResponse:
        """Returns one document with its state."""
        document = await self._reader.get(to_caller(current_principal()), DocumentId(request.document_id))
        return pb.GetDocumentResponse(document=to_document_proto(document))

    async def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: ServicerContext
    ) -> pb.ListDocumentsResponse:
        """Lists the documents the caller may see, newest first."""
        size = page_size(request.page_size)
        wanted = DocumentFilter(to_state(request.state), CollectionId(request.collection_id))
        before = decode_row_key(PAGES, request.page_token)
        found = await self._documents.list_page(to_caller(current_principal()), wanted, size + 1, before)
        page, more = cut_page(PAGES, found, size, lambda row: (row.create_time, row.document_id))
        return pb.ListDocumentsResponse(documents=map(to_document_proto, page), next_page_token=more)

    async def DeleteDocument(
        self, request: pb.DeleteDocumentRequest, context: ServicerContext
    ) -> pb.DeleteDocumentResponse:
        """Makes a document invisible and has its parts removed."""
        caller = to_caller(current_principal())
        await request_delete(self._documents, self._index, caller, DocumentId(request.document_id), trace_carrier())
        return pb.DeleteDocumentResponse()

    async def ListChunks(self, request: pb.ListChunksRequest, context: ServicerContext) -> pb.ListChunksResponse:
        """Lists a document's chunks in order."""
        pages = f"chunks of {DocumentId(request.document_id)}"
        size, first = page_size(request.page_size), decode_number(pages, request.page_token, LAST_CHUNK)
        caller = to_caller(current_principal())
        found = await self._reader.list_chunks(caller, DocumentId(request.document_id), first, size + 1)
        page, more = cut_page(pages, found, size, lambda chunk: (chunk.chunk_index + 1,))
        return pb.ListChunksResponse(chunks=map(to_chunk_proto, page), next_page_token=more)

    async def GetDocumentText(
        self, request: pb.GetDocumentTextRequest, context: ServicerContext
    ) -> pb.GetDocumentTextResponse:
        """Returns the canonical text, or a range of it."""
        end = request.end_offset if request.HasField("end_offset") else None
        caller = to_caller(current_principal())
        document, text = await self._reader.read_text(
            caller, DocumentId(request.document_id), request.start_offset, end
        )
        return pb.GetDocumentTextResponse(text=text, version_id=document.version_id)

    async def BatchGetDocumentTexts(
        self, request: pb.BatchGetDocumentTextsRequest, context: ServicerContext
    ) -> pb.BatchGetDocumentTextsResponse:
        """Returns many ranges of canonical texts."""
        ranges = [to_text_range(each) for each in request.ranges]
        found = await self._reader.read_ranges(to_caller(current_principal()), ranges)
        return pb.BatchGetDocumentTextsResponse(texts=map(to_range_text_proto, found))

    async def GetDocumentContent(
        self, request: pb.GetDocumentContentRequest, context: ServicerContext
    ) -> AsyncIterator[HttpBody]:
        """Streams the file as it was uploaded, as an attachment that a browser will not run."""
        caller = to_caller(current_principal())
        document = await self._reader.get(caller, DocumentId(request.document_id))
        await context.send_initial_metadata(content_headers(document.filename))
        async with aclosing(self._reader.read_content(caller, document)) as frames:
            async for frame in frames:
                yield HttpBody(content_type=BINARY, data=frame)
