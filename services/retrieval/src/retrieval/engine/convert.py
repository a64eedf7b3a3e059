"""Between the engine's protos and the objects of the Qdrant Edge binding."""

import json
from collections.abc import Mapping

import qdrant_edge as edge

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2

DENSE, SPARSE = "dense", "sparse"


def to_point(point: engine_pb2.EnginePoint) -> edge.Point:
    """Returns the point with both its vectors."""
    vectors: dict[str, edge.NamedVector] = {DENSE: list(point.dense), SPARSE: to_sparse(point.sparse)}
    return edge.Point(id=point.point_id, vector=vectors, payload=json.loads(point.payload))


def to_sparse(vector: engine_pb2.EngineSparseVector) -> edge.SparseVector:
    """Returns the sparse vector."""
    return edge.SparseVector(indices=list(vector.indices), values=list(vector.values))


def to_filter(kept: engine_pb2.EngineFilter) -> edge.Filter:
    """Returns the filter, condition by condition."""
    return edge.Filter(
        must=[to_condition(condition) for condition in kept.must],
        must_not=[to_condition(condition) for condition in kept.must_not],
    )


def to_condition(condition: engine_pb2.EngineCondition) -> edge.FieldCondition:
    """Returns the condition on a keyword field."""
    return edge.FieldCondition(key=condition.key, match=edge.MatchAny(list(condition.any_of)))


def to_queries(request: engine_pb2.MatchPointsRequest) -> list[edge.QueryRequest]:
    """Returns the dense and the sparse query."""
    kept = to_filter(request.filter)
    corpus = edge.SearchParams(idf=edge.IdfParams(corpus=to_filter(request.corpus)))
    dense = edge.Query.Nearest(list(request.dense), using=DENSE)
    sparse = edge.Query.Nearest(to_sparse(request.sparse), using=SPARSE)
    keys = list(request.payload_keys) or True
    return [
        edge.QueryRequest(request.limit, query=dense, filter=kept, with_payload=keys),
        edge.QueryRequest(request.limit, query=sparse, filter=kept, with_payload=keys, params=corpus),
    ]


def to_match(point: edge.ScoredPoint, whole: Mapping[str, bytes]) -> engine_pb2.EngineMatch:
    """Returns a found point with its whole payload where that is at hand, or else what was asked for of it."""
    point_id = str(point.id)
    payload = whole.get(point_id) or to_json(point.payload)
    return engine_pb2.EngineMatch(point_id=point_id, score=point.score, payload=payload)


def to_stored(point: edge.Record) -> engine_pb2.StoredPoint:
    """Returns a point with its payload."""
    return engine_pb2.StoredPoint(point_id=str(point.id), payload=to_json(point.payload))


def to_json(payload: Mapping[str, object] | None) -> bytes:
    """Returns a payload as it travels."""
    return json.dumps(payload or {}).encode()
