"""The search index, which the retrieval service owns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager

import grpc

from docuchat.retrieval.v1 import index_service_pb2 as pb
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceStub
from ingestion.clients.window import SendWindow
from ingestion.model import DocumentVersion, PreparedText
from ingestion.text import Chunk
from servicekit.errors import AppError, Code
from servicekit.rpc.status import read_error

BATCH_CHUNKS = 32
WINDOW_CHUNKS = 256
MAX_TITLE = 1000
MAX_HEADINGS = 16
MAX_HEADING = 500
MAX_PAGE_BREAKS = 1000
CALL_SECONDS = 30.0
# Without a confirmation for this long the stream is dead, even if the connection is not.
STALL_SECONDS = 120.0
STREAM_BASE_SECONDS = 300.0
STREAM_SECONDS_PER_CHUNK = 2.0


class GrpcPassageIndex:
    """A PassageIndex over the channel to retrieval, which must send this service's own token."""

    def __init__(
        self, channel: grpc.aio.Channel, *, call_seconds: float = CALL_SECONDS, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self._stub = IndexServiceStub(channel)
        self._call_seconds = call_seconds
        self._stall_seconds = stall_seconds

    async def index(self, version: DocumentVersion, prepared: PreparedText) -> AsyncIterator[int]:
        """Sends the chunks and yields how many are durable; the last value counts all. Raises AppError."""
        window = SendWindow(WINDOW_CHUNKS)
        deadline = STREAM_BASE_SECONDS + STREAM_SECONDS_PER_CHUNK * len(prepared.chunks)
        call = self._stub.IndexChunks(build_requests(version, prepared, window), timeout=deadline)
        answers = aiter(call)
        try:
            while (answer := await self._next(answers)) is not None:
                window.confirm(answer.indexed_count)
                yield answer.indexed_count
        finally:
            window.close()
            call.cancel()

    async def activate(self, version: DocumentVersion, chunk_count: int) -> None:
        """Makes the version the one that searches see. Raises AppError."""
        request = pb.ActivateVersionRequest(
            tenant_id=version.tenant_id,
            document_id=version.document_id,
            version_id=version.version_id,
            chunk_count=chunk_count,
        )
        await _ask(self._stub.ActivateVersion(request, timeout=self._call_seconds))

    async def delete(self, tenant_id: str, document_id: str) -> None:
        """Hides the document from every search and removes its vectors. Raises AppError."""
        request = pb.DeleteDocumentRequest(tenant_id=tenant_id, document_id=document_id)
        await _ask(self._stub.DeleteDocument(request, timeout=self._call_seconds))

    async def _next(self, answers: AsyncIterator[pb.IndexChunksResponse]) -> pb.IndexChunksResponse | None:
        with _translated():
            async with asyncio.timeout(self._stall_seconds):
                return await anext(answers, None)


async def build_requests(
    version: DocumentVersion, prepared: PreparedText, window: SendWindow
) -> AsyncIterator[pb.IndexChunksRequest]:
    """Yields the header, then batches, never more of them than the window lets out unconfirmed."""
    yield pb.IndexChunksRequest(header=build_header(version, prepared))
    for start in range(0, len(prepared.chunks), BATCH_CHUNKS):
        batch = prepared.chunks[start : start + BATCH_CHUNKS]
        if not await window.reserve(len(batch)):
            return
        yield pb.IndexChunksRequest(batch=pb.IndexBatch(chunks=[build_chunk(chunk) for chunk in batch]))


def build_header(version: DocumentVersion, prepared: PreparedText) -> pb.IndexHeader:
    """Maps a version to the header of its stream."""
    return pb.IndexHeader(
        tenant_id=version.tenant_id,
        document_id=version.document_id,
        version_id=version.version_id,
        collection_id=version.collection_id,
        private_to_user_id=version.private_to_user_id,
        filename=version.filename,
        title=prepared.title[:MAX_TITLE],
        language=prepared.language,
    )


def build_chunk(chunk: Chunk) -> pb.IndexChunk:
    """Maps a chunk; what is beyond the bounds of the proto describes the chunk only and is cut."""
    return pb.IndexChunk(
        chunk_index=chunk.chunk_index,
        text=chunk.text,
        start_offset=chunk.start_offset,
        end_offset=chunk.end_offset,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        heading_path=[heading[:MAX_HEADING] for heading in chunk.heading_path[:MAX_HEADINGS]],
        page_break_offsets=chunk.page_break_offsets[:MAX_PAGE_BREAKS],
    )


async def _ask(call: Awaitable[object]) -> None:
    with _translated():
        await call


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise read_error(error) from error
    except TimeoutError as error:
        raise AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "The search index stopped answering.") from error
