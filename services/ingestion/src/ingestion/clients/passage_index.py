"""The search index, which the retrieval service owns."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import grpc

from docuchat.retrieval.v1 import index_service_pb2 as pb
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceStub
from ingestion.errors import Refused
from ingestion.model import ChunkedText, Condition, DocumentId, DocumentVersion, Standing, TenantId
from ingestion.text import Chunk
from servicekit.errors import AppError, Code
from servicekit.rpc.status import ask, translated

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
# A hundred exact counts take their time.
CHECK_SECONDS = 60.0
ASK_THE_OPERATOR = "ask the operator to look into the log, then upload it again."


class GrpcPassageIndex:
    """A PassageIndex over the channel to retrieval, which must send this service's own token."""

    def __init__(
        self, channel: grpc.aio.Channel, *, call_seconds: float = CALL_SECONDS, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self._stub = IndexServiceStub(channel)
        self._call_seconds = call_seconds
        self._stall_seconds = stall_seconds

    async def index(self, version: DocumentVersion, chunked: ChunkedText) -> AsyncGenerator[int, None]:
        """Sends the chunks that are not indexed yet and yields how many are; the last value counts all.

        Raises Refused, AppError.
        """
        window = SendWindow(WINDOW_CHUNKS)
        deadline = STREAM_BASE_SECONDS + STREAM_SECONDS_PER_CHUNK * len(chunked.chunks)
        call = self._stub.IndexChunks(build_requests(version, chunked, window), timeout=deadline)
        answers = aiter(call)
        try:
            while (answer := await self._next(answers)) is not None:
                window.confirm(answer.indexed_count)
                yield chunked.indexed_count + answer.indexed_count
        finally:
            window.close()
            call.cancel()

    async def activate(self, version: DocumentVersion, chunk_count: int) -> str:
        """Makes the version the one that searches see; returns the model of its vectors. Raises Refused, AppError."""
        request = pb.ActivateVersionRequest(
            tenant_id=version.tenant_id,
            document_id=version.document_id,
            version_id=version.version_id,
            chunk_count=chunk_count,
        )
        with _refusals():
            answer = await ask(self._stub.ActivateVersion(request, timeout=self._call_seconds))
        return answer.embedding_model

    async def hide(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides the document from every search at once and for good. Raises AppError."""
        request = pb.HideDocumentRequest(tenant_id=tenant_id, document_id=document_id)
        await ask(self._stub.HideDocument(request, timeout=self._call_seconds))

    async def delete(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides the document from every search and removes its vectors. Raises AppError."""
        request = pb.DeleteDocumentRequest(tenant_id=tenant_id, document_id=document_id)
        await ask(self._stub.DeleteDocument(request, timeout=self._call_seconds))

    async def check(self, standings: Sequence[Standing]) -> list[Condition | None]:
        """Tells how each of at most 100 versions stands, None where the index does not know. Raises AppError."""
        request = pb.CheckVersionsRequest(versions=[to_expected_proto(standing) for standing in standings])
        # A worker that starts with the whole stack is there before retrieval is.
        answer = await ask(self._stub.CheckVersions(request, timeout=CHECK_SECONDS, wait_for_ready=True))
        return [to_condition(value) for value in answer.conditions]

    async def _next(self, answers: AsyncIterator[pb.IndexChunksResponse]) -> pb.IndexChunksResponse | None:
        with _refusals(), translated():
            async with asyncio.timeout(self._stall_seconds):
                return await anext(answers, None)


class SendWindow:
    """Counts what was sent and confirmed, so that a slow index fills neither its memory nor the network's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sent = 0
        self._confirmed = 0
        self._closed = False
        self._changed = asyncio.Event()

    async def reserve(self, count: int) -> bool:
        """Waits until `count` more may be sent; False once the window is closed."""
        while not self._closed and self._sent - self._confirmed > self._limit - count:
            self._changed.clear()
            await self._changed.wait()
        self._sent += count
        return not self._closed

    def confirm(self, total: int) -> None:
        """Notes that `total` of what was sent is durable."""
        self._confirmed = max(self._confirmed, total)
        self._changed.set()

    def close(self) -> None:
        """Lets whoever waits go: nothing more will be confirmed."""
        self._closed = True
        self._changed.set()


async def build_requests(
    version: DocumentVersion, chunked: ChunkedText, window: SendWindow
) -> AsyncIterator[pb.IndexChunksRequest]:
    """Yields the header, then what is not indexed yet, never more than the window lets out unconfirmed."""
    yield pb.IndexChunksRequest(header=to_header_proto(version, chunked))
    for start in range(chunked.indexed_count, len(chunked.chunks), BATCH_CHUNKS):
        batch = chunked.chunks[start : start + BATCH_CHUNKS]
        if not await window.reserve(len(batch)):
            return
        yield pb.IndexChunksRequest(batch=pb.IndexBatch(chunks=[to_chunk_proto(chunk) for chunk in batch]))


def to_header_proto(version: DocumentVersion, chunked: ChunkedText) -> pb.IndexHeader:
    """Maps a version to the header of its stream."""
    return pb.IndexHeader(
        tenant_id=version.tenant_id,
        document_id=version.document_id,
        version_id=version.version_id,
        collection_id=version.collection_id,
        private_to_user_id=version.private_to_user_id,
        filename=version.filename,
        title=chunked.title[:MAX_TITLE],
        language=chunked.language,
    )


def to_chunk_proto(chunk: Chunk) -> pb.IndexChunk:
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
        token_count=chunk.token_count,
    )


def to_expected_proto(standing: Standing) -> pb.ExpectedVersion:
    """Maps what searches should see of a document."""
    return pb.ExpectedVersion(
        tenant_id=standing.tenant_id,
        document_id=standing.document_id,
        version_id=standing.version_id,
        chunk_count=standing.chunk_count,
    )


def to_condition(value: pb.CheckVersionsResponse.Condition) -> Condition | None:
    """Maps how a version stands; what a newer retrieval may say is not known here."""
    name = (
        pb.CheckVersionsResponse.Condition.Name(value) if value in pb.CheckVersionsResponse.Condition.values() else ""
    )
    return Condition(name) if name in Condition.__members__ else None


@contextmanager
def _refusals() -> Iterator[None]:
    """Raises Refused for answers that would be the same for the same chunks."""
    try:
        yield
    except AppError as error:
        if error.reason == "EMBEDDER_REFUSED":
            raise Refused(
                "EMBEDDING_REFUSED", f"The embedding model refuses this document or its settings: {ASK_THE_OPERATOR}"
            ) from error
        if error.reason == "INDEX_REFUSED" or error.code in {Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE}:
            raise Refused("INDEX_REFUSED", f"The search index refuses this document: {ASK_THE_OPERATOR}") from error
        raise
