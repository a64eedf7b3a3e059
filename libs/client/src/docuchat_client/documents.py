"""Uploading, watching and reading documents and collections."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from docuchat.ingestion.v1 import collection_service_pb2, document_service_pb2
from docuchat.ingestion.v1.collection_pb2 import Collection
from docuchat.ingestion.v1.collection_service_pb2_grpc import CollectionServiceStub
from docuchat.ingestion.v1.document_pb2 import Chunk, Document
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from docuchat_client.connection import CALL_SECONDS, PAGE_SIZE, Connection
from docuchat_client.errors import DocuChatError
from docuchat_client.uploads import OnSent, make_frames

TEXT_SECONDS = 60
UPLOAD_SECONDS = 600
READY_SECONDS = 300
FIRST_POLL_SECONDS = 0.1
LAST_POLL_SECONDS = 1.0
# What goes by itself.
PASSING = {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
OUTAGE_SECONDS = 20
END_STATES = (Document.READY, Document.NO_TEXT, Document.FAILED)

OnProgress = Callable[[Document], None]


class DocumentNotUsable(DocuChatError):
    """Raised when a document reached an end state in which it cannot be asked: FAILED or NO_TEXT."""

    def __init__(self, document: Document) -> None:
        reason = document.state_reason or Document.State.Name(document.state)
        message = f"{document.filename}: {document.state_message or 'it holds no text that could be read.'}"
        super().__init__("FAILED_PRECONDITION", reason, message, {"document_id": document.document_id})
        self.document = document


class NotReadyInTime(DocuChatError):
    """Raised when a document is still being processed at the end of the time given."""

    def __init__(self, document: Document, limit_seconds: float) -> None:
        state = Document.State.Name(document.state)
        message = f"{document.filename}: still {state} after {limit_seconds:g} s; it goes on without you."
        super().__init__("DEADLINE_EXCEEDED", "NOT_READY_IN_TIME", message, {"document_id": document.document_id})
        self.document = document


class Documents:
    """The calls about documents. Lists are read page by page as the loop asks for more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._documents = DocumentServiceStub(connection.channel)
        self._collections = CollectionServiceStub(connection.channel)

    async def upload(
        self,
        content: Path | bytes,
        *,
        filename: str = "",
        collection_id: str = "",
        on_sent: OnSent | None = None,
        timeout_seconds: float = UPLOAD_SECONDS,
    ) -> Document:
        """Stores one file; it is safe when this returns, and READY some time later.

        `filename` defaults to the path's. Raises UNSUPPORTED_TYPE, FILE_TOO_LARGE,
        EMPTY, COLLECTION_NOT_FOUND, and OSError for a path that cannot be read.
        """
        name = filename or (content.name if isinstance(content, Path) else "document")
        if isinstance(content, Path):
            await asyncio.to_thread(require_readable, content)
        answer = await self._connection.call(
            lambda metadata: self._documents.UploadDocuments(
                make_frames(content, name, collection_id, on_sent), timeout=timeout_seconds, metadata=metadata
            )
        )
        return answer.documents[0]

    async def create_from_text(self, text: str, *, filename: str = "", collection_id: str = "") -> Document:
        """Stores text that is no file, up to 1,000,000 characters."""
        request = document_service_pb2.CreateDocumentFromTextRequest(
            text=text, filename=filename, collection_id=collection_id
        )
        answer = await self._connection.call(
            lambda metadata: self._documents.CreateDocumentFromText(request, timeout=TEXT_SECONDS, metadata=metadata)
        )
        return answer.document

    async def wait_until_ready(
        self, document_id: str, *, on_progress: OnProgress | None = None, limit_seconds: float = READY_SECONDS
    ) -> Document:
        """Returns the document once it is READY; `on_progress` hears every look at it.

        Raises DocumentNotUsable (FAILED, NO_TEXT), NotReadyInTime, DOCUMENT_NOT_FOUND.
        """
        end, pause = time.monotonic() + limit_seconds, FIRST_POLL_SECONDS
        while True:
            document = await self._look(document_id)
            if on_progress:
                on_progress(document)
            if document.state in END_STATES:
                return require_ready(document)
            if time.monotonic() + pause > end:
                raise NotReadyInTime(document, limit_seconds)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LAST_POLL_SECONDS)

    async def _look(self, document_id: str) -> Document:
        """Returns the document; a service that is being restarted, or has no room for a call, gets some time."""
        end = time.monotonic() + OUTAGE_SECONDS
        while True:
            try:
                return await self.document(document_id)
            except DocuChatError as error:
                if error.code not in PASSING or time.monotonic() > end:
                    raise
            await asyncio.sleep(LAST_POLL_SECONDS)

    async def document(self, document_id: str) -> Document:
        """Returns one document with its state. Raises DOCUMENT_NOT_FOUND."""
        request = document_service_pb2.GetDocumentRequest(document_id=document_id)
        answer = await self._connection.call(
            lambda metadata: self._documents.GetDocument(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.document

    async def documents(
        self, *, state: Document.State = Document.STATE_UNSPECIFIED, collection_id: str = ""
    ) -> AsyncIterator[Document]:
        """Yields the documents the user may see, newest first."""
        request = document_service_pb2.ListDocumentsRequest(
            page_size=PAGE_SIZE, state=state, collection_id=collection_id
        )
        async for page in self._connection.read_pages(request, self._documents.ListDocuments):
            for document in page.documents:
                yield document

    async def delete_document(self, document_id: str) -> None:
        """Makes a document invisible at once; its parts are removed after. Raises DOCUMENT_NOT_FOUND."""
        request = document_service_pb2.DeleteDocumentRequest(document_id=document_id)
        await self._connection.call(
            lambda metadata: self._documents.DeleteDocument(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def text(self, document_id: str, *, start_offset: int = 0, end_offset: int | None = None) -> str:
        """Returns the canonical text that all offsets count in (code points), or [start_offset, end_offset) of it."""
        request = document_service_pb2.GetDocumentTextRequest(
            document_id=document_id, start_offset=start_offset, end_offset=end_offset
        )
        answer = await self._connection.call(
            lambda metadata: self._documents.GetDocumentText(request, timeout=TEXT_SECONDS, metadata=metadata)
        )
        return answer.text

    async def chunks(self, document_id: str) -> AsyncIterator[Chunk]:
        """Yields a document's chunks in order."""
        request = document_service_pb2.ListChunksRequest(document_id=document_id, page_size=PAGE_SIZE)
        async for page in self._connection.read_pages(request, self._documents.ListChunks):
            for chunk in page.chunks:
                yield chunk

    async def content(self, document_id: str) -> AsyncGenerator[bytes]:
        """Yields the file as it was uploaded, piece by piece."""
        request = document_service_pb2.GetDocumentContentRequest(document_id=document_id)
        pieces = self._connection.stream(
            lambda metadata: self._documents.GetDocumentContent(request, timeout=UPLOAD_SECONDS, metadata=metadata)
        )
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece.data

    async def create_collection(self, display_name: str, *, shared: bool = False) -> Collection:
        """Creates a collection that the user alone, or the whole tenant, sees. Raises COLLECTION_EXISTS."""
        visibility = Collection.TENANT if shared else Collection.PRIVATE
        request = collection_service_pb2.CreateCollectionRequest(display_name=display_name, visibility=visibility)
        answer = await self._connection.call(
            lambda metadata: self._collections.CreateCollection(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.collection


def require_readable(path: Path) -> None:
    """Raises OSError now, for what would break the stream later."""
    with path.open("rb"):
        pass


def require_ready(document: Document) -> Document:
    """Returns a READY document. Raises DocumentNotUsable for any other end state."""
    if document.state != Document.READY:
        raise DocumentNotUsable(document)
    return document
