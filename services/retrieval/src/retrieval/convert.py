"""Protos to model and back."""

from collections.abc import AsyncIterator, Sequence

from docuchat.retrieval.v1 import hit_pb2
from docuchat.retrieval.v1 import index_service_pb2 as index_pb2
from docuchat.retrieval.v1 import search_service_pb2 as search_pb2
from retrieval.errors import InvalidIndexStream
from retrieval.model import (
    Chunk,
    CollectionId,
    Condition,
    DocumentId,
    DocumentVersion,
    ExpectedVersion,
    Hit,
    Scope,
    TenantId,
    UserId,
    VersionId,
)
from servicekit.identity import Principal

CONDITIONS = {
    Condition.INTACT: index_pb2.CheckVersionsResponse.INTACT,
    Condition.DAMAGED: index_pb2.CheckVersionsResponse.DAMAGED,
    Condition.OUTDATED: index_pb2.CheckVersionsResponse.OUTDATED,
    Condition.HIDDEN: index_pb2.CheckVersionsResponse.HIDDEN,
}


def to_scope(request: search_pb2.SearchRequest, caller: Principal) -> Scope:
    """Returns the scope of a search; the walls come from the caller's token, never from the request."""
    return Scope(
        TenantId(caller.tenant_id),
        UserId(caller.subject),
        tuple(map(CollectionId, request.collection_ids)),
        tuple(request.document_ids),
        caller.api_key_id,
    )


def to_hit_proto(hit: Hit) -> hit_pb2.Hit:
    """Returns a hit as clients see it."""
    version, chunk = hit.version, hit.chunk
    return hit_pb2.Hit(
        text=chunk.text,
        score=hit.score,
        document_id=version.document_id,
        version_id=version.version_id,
        collection_id=version.collection_id,
        filename=version.filename,
        title=version.title,
        chunk_index=chunk.chunk_index,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        start_offset=chunk.start_offset,
        end_offset=chunk.end_offset,
        heading_path=chunk.heading_path,
        page_break_offsets=chunk.page_break_offsets,
        language=version.language,
        highlights=[
            hit_pb2.Highlight(start_offset=one.start_offset, end_offset=one.end_offset, score=one.score)
            for one in hit.highlights
        ],
        token_count=chunk.token_count,
        relevance=hit.relevance,
    )


def to_expected(version: index_pb2.ExpectedVersion) -> ExpectedVersion:
    """Returns a version that is to be compared."""
    return ExpectedVersion(
        TenantId(version.tenant_id), DocumentId(version.document_id), VersionId(version.version_id), version.chunk_count
    )


def to_condition_proto(condition: Condition) -> index_pb2.CheckVersionsResponse.Condition:
    """Returns the condition of the same name."""
    return CONDITIONS[condition]


async def read_header(requests: AsyncIterator[index_pb2.IndexChunksRequest]) -> DocumentVersion:
    """Returns the version an index stream is about. Raises InvalidIndexStream if it does not begin with a header."""
    first = await anext(requests, None)
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidIndexStream("The first message must be the header.")
    return _to_version(first.header)


async def read_batches(requests: AsyncIterator[index_pb2.IndexChunksRequest]) -> AsyncIterator[Sequence[Chunk]]:
    """Yields the chunks after the header. Raises InvalidIndexStream for anything else."""
    async for request in requests:
        if request.WhichOneof("part") != "batch":
            raise InvalidIndexStream("After the header, every message must be a batch of chunks.")
        yield [_to_chunk(chunk) for chunk in request.batch.chunks]


def _to_version(header: index_pb2.IndexHeader) -> DocumentVersion:
    return DocumentVersion(
        tenant_id=TenantId(header.tenant_id),
        document_id=DocumentId(header.document_id),
        version_id=VersionId(header.version_id),
        collection_id=CollectionId(header.collection_id),
        private_to_user_id=header.private_to_user_id,
        filename=header.filename,
        title=header.title,
        language=header.language,
    )


def _to_chunk(chunk: index_pb2.IndexChunk) -> Chunk:
    return Chunk(
        chunk_index=chunk.chunk_index,
        text=chunk.text,
        start_offset=chunk.start_offset,
        end_offset=chunk.end_offset,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        heading_path=tuple(chunk.heading_path),
        page_break_offsets=tuple(chunk.page_break_offsets),
        token_count=chunk.token_count,
    )
