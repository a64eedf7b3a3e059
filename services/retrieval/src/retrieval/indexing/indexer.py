"""How the chunks of a version enter the index, become visible and leave it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID, uuid5

from retrieval.errors import DocumentDeleted, VersionIncomplete
from retrieval.indexing.read_ahead import read_ahead
from retrieval.model import (
    Chunk,
    Condition,
    DocumentId,
    DocumentVersion,
    ExpectedVersion,
    Point,
    Standing,
    TenantId,
    Vector,
    VersionId,
)
from retrieval.ports import Embedder, TermWeigher, VectorIndex, VersionRegistry
from servicekit.telemetry import span

CONDITIONS = {
    Standing.INVISIBLE: Condition.DAMAGED,
    Standing.OTHER_GENERATION: Condition.OUTDATED,
    Standing.BURIED: Condition.HIDDEN,
}


def name_point(tenant_id: TenantId, version_id: VersionId, chunk_index: int) -> str:
    """Returns a chunk's point id (UUIDv5, RFC 9562): the same on every retry, so nothing is stored twice.

    It begins with the tenant: whatever ids another tenant names, its points never overwrite these.
    """
    return str(uuid5(UUID(tenant_id), f"{version_id}/{chunk_index}"))


@dataclass(frozen=True)
class Indexer:
    """Writes the index. Chunks stay invisible until their version is activated."""

    embedder: Embedder
    weigher: TermWeigher
    index: VectorIndex
    registry: VersionRegistry

    async def index_chunks(
        self, version: DocumentVersion, batches: AsyncIterator[Sequence[Chunk]]
    ) -> AsyncGenerator[int, None]:
        """Stores chunks and yields, batch by batch, how many are durable so far.

        The next batch is embedded while this one is stored; no more than these
        two are held. A version without chunks is confirmed with 0. Raises
        DocumentDeleted, EmbedderUnavailable or IndexUnavailable; what was
        confirmed stays, and sending a chunk again rewrites it.
        """
        await self.registry.begin_version(version)
        durable = 0
        async with aclosing(self._embed(version, batches)) as embedded, aclosing(read_ahead(embedded)) as ready:
            async for points in ready:
                await self._store(version, points)
                durable += len(points)
                yield durable
        if not durable:
            yield 0

    async def activate_version(
        self, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId, chunk_count: int
    ) -> None:
        """Shows one version once its points survive a power cut, and removes the points of the others.

        Doing it again changes nothing.

        Raises DocumentDeleted; VersionIncomplete unless exactly chunk_count points are stored.
        """
        await self.registry.check_writable(tenant_id, document_id)
        found = await self.index.count(tenant_id, version_id)
        if found != chunk_count:
            raise VersionIncomplete(chunk_count, found)
        await self.index.flush()
        if await self.registry.activate_version(tenant_id, document_id, version_id):
            await self.index.delete_document(tenant_id, document_id, keep_version_id=version_id)
            await self.registry.forget_retired_versions(tenant_id, document_id)

    async def hide_document(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides a document at once and for good; needs no index. Doing it again changes nothing."""
        await self.registry.bury_document(tenant_id, document_id)

    async def check_versions(self, expected: Sequence[ExpectedVersion]) -> list[Condition]:
        """Compares what should be searchable with what is, in their order. Raises IndexUnavailable."""
        standings = await self.registry.describe(expected)
        return [
            await self._check_points(version) if standing is Standing.VISIBLE else CONDITIONS[standing]
            for version, standing in zip(expected, standings, strict=True)
        ]

    async def delete_document(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides a document at once, then removes its points. Doing it again changes nothing.

        Raises IndexUnavailable when it is hidden and its points are still there.
        """
        await self.registry.bury_document(tenant_id, document_id)
        await self._remove_points(tenant_id, document_id)

    async def _check_points(self, version: ExpectedVersion) -> Condition:
        found = await self.index.count(version.tenant_id, version.version_id)
        return Condition.INTACT if found == version.chunk_count else Condition.DAMAGED

    async def _embed(
        self, version: DocumentVersion, batches: AsyncIterator[Sequence[Chunk]]
    ) -> AsyncGenerator[list[Point], None]:
        async for chunks in batches:
            with span("retrieval.embed_passages", chunks=len(chunks)):
                vectors = await self.embedder.embed_passages([chunk.text for chunk in chunks])
            # Weighing a batch takes tens of milliseconds, which the event loop has not got.
            yield await asyncio.to_thread(self._make_points, version, chunks, vectors)

    def _make_points(self, version: DocumentVersion, chunks: Sequence[Chunk], vectors: Sequence[Vector]) -> list[Point]:
        return [
            Point(
                point_id=name_point(version.tenant_id, version.version_id, chunk.chunk_index),
                version=version,
                chunk=chunk,
                dense=vector,
                sparse=self.weigher.weigh_passage(chunk.text, version.language),
            )
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]

    async def _store(self, version: DocumentVersion, points: Sequence[Point]) -> None:
        with span("retrieval.upsert", points=len(points)):
            await self.index.upsert(points)
        # A tombstone set before this check is seen here; one set after it removes these points itself.
        try:
            await self.registry.check_writable(version.tenant_id, version.document_id)
        except DocumentDeleted:
            await self._remove_points(version.tenant_id, version.document_id)
            raise

    async def _remove_points(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        await self.index.delete_document(tenant_id, document_id)
        await self.registry.forget_retired_versions(tenant_id, document_id)
