"""The embedded engine, over its socket."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from docuchat.retrieval.v1.engine_service_pb2_grpc import EngineServiceStub
from retrieval.errors import IndexRefused, IndexUnavailable
from retrieval.model import (
    Chunk,
    DocumentId,
    DocumentVersion,
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
from servicekit.errors import AppError, Code, StorageFull
from servicekit.memory import Memory
from servicekit.rpc.client import open_channel
from servicekit.rpc.status import read_error
from servicekit.telemetry import get_logger

# The engine does nothing else while it stores a batch, so a batch is a few milliseconds' worth.
UPSERT_POINTS = 64
# Passages as they were read, some 4,000 of 400 tokens, and how many of the short payloads that most matches bring.
PASSAGES_BYTES = 32 * 1024 * 1024
MOST_TOLD = 16_384
REFUSALS = {Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE, Code.UNIMPLEMENTED}

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class EdgeVectorIndex:
    """A client of the engine process. A collection the engine does not know is prepared on the way."""

    def __init__(self, target: str, generation: Generation, *, deadlines: Deadlines | None = None) -> None:
        """Connects to target, "unix:/path", when first used."""
        self._deadlines = deadlines or Deadlines()
        self._channel = open_channel(target, identity=_no_identity, timeout_seconds=self._deadlines.read)
        self._stub = EngineServiceStub(self._channel)
        self._generation = generation
        self._collection = generation.collection
        # By what the engine sent, tenant and all, so that what changes there is never mistaken for what it was.
        self._passages: Memory[bytes, tuple[DocumentVersion, Chunk]] = Memory(PASSAGES_BYTES)

    async def prepare(self) -> None:
        """Creates or opens the collection."""
        request = engine_pb2.PrepareCollectionRequest(
            collection=self._collection,
            dimensions=self._generation.dimensions,
            keyword_keys=KEYWORD_KEYS,
            tenant_key=TENANT_KEY,
        )
        await self._call(self._stub.PrepareCollection, request, self._deadlines.prepare)

    async def upsert(self, points: Sequence[Point]) -> None:
        """Stores points durably, a few dozen at a time."""
        for start in range(0, len(points), UPSERT_POINTS):
            batch = [_to_point_proto(point) for point in points[start : start + UPSERT_POINTS]]
            request = engine_pb2.UpsertPointsRequest(collection=self._collection, points=batch)
            await self._call_prepared(self._stub.UpsertPoints, request, self._deadlines.write)

    async def match(
        self,
        scope: Scope,
        dense: Vector,
        sparse: SparseVector,
        limit: int,
        leading: int = 0,
    ) -> Matches:
        """Returns both legs, and what the leading matches stand for, from one round trip."""
        request = engine_pb2.MatchPointsRequest(
            collection=self._collection,
            filter=_to_filter_proto(restrict_to_scope(scope)),
            corpus=_to_filter_proto(restrict_to_tenant(scope.tenant_id)),
            dense=dense.tolist(),
            sparse=_to_sparse_proto(sparse),
            limit=limit,
            payload_keys=MATCH_KEYS,
            whole_count=leading,
        )
        found = await self._call_prepared(self._stub.MatchPoints, request, self._deadlines.read)
        whole = (*found.dense[:leading], *found.sparse[:leading])
        known = {row.point_id: self._to_passage(row.payload) for row in whole}
        told = {point_id: vars(version) | vars(chunk) for point_id, (version, chunk) in known.items()}
        dense_leg, sparse_leg = (
            [to_match(row.point_id, told.get(row.point_id) or _read_told(row.payload), row.score) for row in leg]
            for leg in (found.dense, found.sparse)
        )
        return Matches(dense_leg, sparse_leg, known)

    async def read(self, point_ids: Sequence[str]) -> Mapping[str, tuple[DocumentVersion, Chunk]]:
        """Returns what points stand for, by their ids."""
        request = engine_pb2.GetPointsRequest(collection=self._collection, point_ids=point_ids)
        found = await self._call_prepared(self._stub.GetPoints, request, self._deadlines.read)
        return {point.point_id: self._to_passage(point.payload) for point in found.points}

    async def count(self, tenant_id: TenantId, version_id: VersionId) -> int:
        """Returns the exact number of points of a version."""
        kept = _to_filter_proto(restrict_to_version(tenant_id, version_id))
        request = engine_pb2.CountPointsRequest(collection=self._collection, filter=kept)
        return (await self._call_prepared(self._stub.CountPoints, request, self._deadlines.read)).point_count

    async def delete_document(self, tenant_id: TenantId, document_id: DocumentId, *, keep_version_id: str = "") -> None:
        """Removes the points of a document, except those of one version."""
        gone = _to_filter_proto(restrict_to_document(tenant_id, document_id, keep_version_id))
        request = engine_pb2.DeletePointsRequest(collection=self._collection, filter=gone)
        await self._call_prepared(self._stub.DeletePoints, request, self._deadlines.write)

    async def delete_version(self, tenant_id: TenantId, version_id: VersionId) -> None:
        """Removes the points of one version."""
        gone = _to_filter_proto(restrict_to_version(tenant_id, version_id))
        request = engine_pb2.DeletePointsRequest(collection=self._collection, filter=gone)
        await self._call_prepared(self._stub.DeletePoints, request, self._deadlines.write)

    async def flush(self) -> None:
        """Returns once everything stored so far is on the disk itself."""
        request = engine_pb2.FlushCollectionRequest(collection=self._collection)
        await self._call_prepared(self._stub.FlushCollection, request, self._deadlines.write)

    async def drop_others(self, generations: Collection[str]) -> None:
        """Removes the collections of every generation that is neither the present one nor one of these."""
        request = engine_pb2.KeepCollectionsRequest(collections=sorted({self._collection, *generations}))
        await self._call(self._stub.KeepCollections, request, self._deadlines.write)

    async def ping(self) -> str:
        """Returns the engine's name and version."""
        info = await self._call(self._stub.GetInfo, engine_pb2.GetInfoRequest(), self._deadlines.ping)
        return info.engine_version

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    def _to_passage(self, payload: bytes) -> tuple[DocumentVersion, Chunk]:
        passage = self._passages.recall(payload)
        if passage is None:
            passage = to_passage(json.loads(payload))
            # A text takes its letters' bytes once as they came, and up to twice as many in Python.
            self._passages.remember(payload, passage, 3 * len(payload))
        return passage

    async def _call_prepared(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request, seconds: float
    ) -> Response:
        try:
            return await self._call(method, request, seconds)
        except _CollectionUnknown:
            await self.prepare()
            return await self._call(method, request, seconds)

    async def _call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request, seconds: float
    ) -> Response:
        try:
            # A restart of the engine takes a second or two: waiting for it beats failing at once.
            return await method(request, timeout=seconds, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise read_engine_error(error) from error


def read_engine_error(error: grpc.aio.AioRpcError) -> AppError:
    """Returns what an error of the engine means to retrieval."""
    answer = read_error(error)
    if answer.reason == "COLLECTION_UNKNOWN":
        return _CollectionUnknown()
    get_logger("index").warning("engine call failed", code=error.code().name, details=error.details())
    if answer.reason == "STORAGE_FULL":
        return StorageFull("the vector index")
    if answer.code in REFUSALS:
        return IndexRefused()
    return answer if answer.code is Code.INTERNAL else IndexUnavailable()


class _CollectionUnknown(IndexUnavailable):
    """Raised when the engine has no such collection: its files are new, or another folder's."""


async def _no_identity() -> str:
    # A caller's token has no business in the engine, which would not read it.
    return ""


@lru_cache(MOST_TOLD)
def _read_told(payload: bytes) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(payload)
    return told


def _to_point_proto(point: Point) -> engine_pb2.EnginePoint:
    return engine_pb2.EnginePoint(
        point_id=point.point_id,
        dense=point.dense.tolist(),
        sparse=_to_sparse_proto(point.sparse),
        payload=json.dumps(to_payload(point.version, point.chunk)).encode(),
    )


def _to_sparse_proto(vector: SparseVector) -> engine_pb2.EngineSparseVector:
    return engine_pb2.EngineSparseVector(indices=vector.indices, values=vector.values)


def _to_filter_proto(kept: PointFilter) -> engine_pb2.EngineFilter:
    return engine_pb2.EngineFilter(
        must=[_to_condition_proto(condition) for condition in kept.must],
        must_not=[_to_condition_proto(condition) for condition in kept.must_not],
    )


def _to_condition_proto(condition: Condition) -> engine_pb2.EngineCondition:
    return engine_pb2.EngineCondition(key=condition.key, any_of=condition.any_of)
