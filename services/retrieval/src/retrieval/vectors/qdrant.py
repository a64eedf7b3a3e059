"""A Qdrant server or cluster."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from math import ceil

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from retrieval.errors import IndexRefused, IndexUnavailable
from retrieval.model import (
    Chunk,
    DocumentId,
    DocumentVersion,
    Match,
    Matches,
    Point,
    Scope,
    SparseVector,
    TenantId,
    Vector,
    VersionId,
)
from retrieval.vectors.generation import Deadlines, Generation
from retrieval.vectors.payload import MATCH_KEYS, to_match, to_passage, to_payload
from retrieval.vectors.scope_filter import (
    KEYWORD_KEYS,
    TENANT_KEY,
    Condition,
    PointFilter,
    restrict_to_document,
    restrict_to_scope,
    restrict_to_tenant,
    restrict_to_version,
)
from servicekit.errors import AppError, StorageFull
from servicekit.telemetry import get_logger

DENSE, SPARSE = "dense", "sparse"
UPSERT_POINTS = 128
# A wrong key, a wrong request, one that is too large. A collection that is missing (404) is made again.
REFUSALS = {400, 401, 403, 405, 409, 413, 422}


class QdrantVectorIndex:
    """Points in one collection per generation, tenants kept together by an is_tenant payload index."""

    def __init__(
        self, client: AsyncQdrantClient, generation: Generation, *, deadlines: Deadlines | None = None
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._client = client
        self._generation = generation
        self._collection = generation.collection
        self._prepared = False

    @classmethod
    def connect(
        cls, url: str, api_key: str | None, generation: Generation, *, deadlines: Deadlines | None = None
    ) -> "QdrantVectorIndex":
        """Connects when first used. The client's own deadline is the longest of the calls'."""
        longest = ceil((deadlines or Deadlines()).prepare)
        client = AsyncQdrantClient(url=url, api_key=api_key, timeout=longest, check_compatibility=False)
        return cls(client, generation, deadlines=deadlines)

    async def prepare(self) -> None:
        """Creates the collection and its payload indexes where they are missing."""
        async with self._within(self._deadlines.prepare, prepared=False):
            if not await self._client.collection_exists(self._collection):
                await self._create()
            for key in KEYWORD_KEYS:
                schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=key == TENANT_KEY)
                await self._client.create_payload_index(self._collection, key, field_schema=schema)
        self._prepared = True

    async def upsert(self, points: Sequence[Point]) -> None:
        """Stores points; returns once the server has applied them."""
        for start in range(0, len(points), UPSERT_POINTS):
            batch = [_to_struct(point) for point in points[start : start + UPSERT_POINTS]]
            async with self._within(self._deadlines.write):
                await self._client.upsert(self._collection, batch, wait=True)

    async def match(
        self,
        scope: Scope,
        dense: Vector,
        sparse: SparseVector,
        limit: int,
        leading: int = 0,  # noqa: ARG002 - a server takes one selection for all points of a query
    ) -> Matches:
        """Returns both legs from one round trip; what they stand for takes another."""
        kept = _to_filter(restrict_to_scope(scope))
        corpus = models.IdfCorpusParams(corpus=_to_filter(restrict_to_tenant(scope.tenant_id)))
        queries = [
            models.QueryRequest(
                query=dense.tolist(), using=DENSE, filter=kept, limit=limit, with_payload=list(MATCH_KEYS)
            ),
            models.QueryRequest(
                query=_to_sparse(sparse),
                using=SPARSE,
                filter=kept,
                limit=limit,
                with_payload=list(MATCH_KEYS),
                params=models.SearchParams(idf=corpus),
            ),
        ]
        async with self._within(self._deadlines.read):
            # A query without terms finds nothing, which the server would call an error.
            found = await self._client.query_batch_points(self._collection, queries[: 2 if sparse.indices else 1])
        legs = [_to_matches(leg) for leg in found]
        return Matches(legs[0], legs[1] if sparse.indices else [])

    async def read(self, point_ids: Sequence[str]) -> Mapping[str, tuple[DocumentVersion, Chunk]]:
        """Returns what points stand for, by their ids."""
        async with self._within(self._deadlines.read):
            found = await self._client.retrieve(self._collection, list(point_ids), with_payload=True)
        return {str(point.id): to_passage(point.payload or {}) for point in found}

    async def count(self, tenant_id: TenantId, version_id: VersionId) -> int:
        """Returns the exact number of points of a version."""
        kept = _to_filter(restrict_to_version(tenant_id, version_id))
        async with self._within(self._deadlines.read):
            return (await self._client.count(self._collection, count_filter=kept, exact=True)).count

    async def delete_document(self, tenant_id: TenantId, document_id: DocumentId, *, keep_version_id: str = "") -> None:
        """Removes the points of a document, except those of one version."""
        gone = models.FilterSelector(filter=_to_filter(restrict_to_document(tenant_id, document_id, keep_version_id)))
        async with self._within(self._deadlines.write):
            await self._client.delete(self._collection, gone, wait=True)

    async def delete_version(self, tenant_id: TenantId, version_id: VersionId) -> None:
        """Removes the points of one version."""
        gone = models.FilterSelector(filter=_to_filter(restrict_to_version(tenant_id, version_id)))
        async with self._within(self._deadlines.write):
            await self._client.delete(self._collection, gone, wait=True)

    async def flush(self) -> None:
        """Does nothing: when a server forces its log to the disk is its own affair, and a cluster keeps copies."""

    async def drop_others(self, generations: Collection[str]) -> None:
        """Does nothing: a server may hold collections of other deployments, so its operator removes old ones."""

    async def ping(self) -> str:
        """Returns the server's name and version."""
        async with self._within(self._deadlines.ping, prepared=False):
            return f"qdrant {(await self._client.info()).version}"

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _create(self) -> None:
        size = self._generation.dimensions
        await self._client.create_collection(
            self._collection,
            vectors_config={DENSE: models.VectorParams(size=size, distance=models.Distance.COSINE)},
            sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )

    @asynccontextmanager
    async def _within(self, seconds: float, *, prepared: bool = True) -> AsyncIterator[None]:
        if prepared and not self._prepared:
            await self.prepare()
        try:
            async with asyncio.timeout(seconds):
                yield
        except (ApiException, QdrantException, httpx.HTTPError, TimeoutError) as error:
            get_logger("index").warning("qdrant call failed", error=type(error).__name__)
            # A collection that was wiped is made again by the call that comes next.
            self._prepared = self._prepared and not (isinstance(error, UnexpectedResponse) and error.status_code == 404)
            raise read_qdrant_error(error) from error


def read_qdrant_error(error: Exception) -> AppError:
    """Returns what an error of the client means to retrieval."""
    if not isinstance(error, UnexpectedResponse):
        return IndexUnavailable()
    if error.status_code == HTTPStatus.INSUFFICIENT_STORAGE or b"No space left on device" in error.content:
        return StorageFull("the vector index")
    return IndexRefused() if error.status_code in REFUSALS else IndexUnavailable()


def _to_struct(point: Point) -> models.PointStruct:
    vectors: dict[str, models.Vector] = {DENSE: point.dense.tolist(), SPARSE: _to_sparse(point.sparse)}
    return models.PointStruct(id=point.point_id, vector=vectors, payload=to_payload(point.version, point.chunk))


def _to_sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _to_filter(kept: PointFilter) -> models.Filter:
    return models.Filter(
        must=[_to_condition(condition) for condition in kept.must],
        must_not=[_to_condition(condition) for condition in kept.must_not],
    )


def _to_condition(condition: Condition) -> models.FieldCondition:
    return models.FieldCondition(key=condition.key, match=models.MatchAny(any=list(condition.any_of)))


def _to_matches(leg: models.QueryResponse) -> list[Match]:
    return [to_match(str(point.id), point.payload or {}, point.score) for point in leg.points]
