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
    """Returns the condition on a keyword field; one value has a way of its own, which is a quarter faster."""
    values = list(condition.any_of)
    match = edge.MatchValue(values[0]) if len(values) == 1 else edge.MatchAny(values)
    return edge.FieldCondition(key=condition.key, match=match)


def to_queries(request: engine_pb2.MatchPointsRequest) -> list[edge.QueryRequest]:
    """Returns the dense and the sparse query, for ids alone: reading payloads takes several times as long."""
    kept = to_filter(request.filter)
    corpus = edge.SearchParams(idf=edge.IdfParams(corpus=to_filter(request.corpus)))
    dense = edge.Query.Nearest(list(request.dense), using=DENSE)
    sparse = edge.Query.Nearest(to_sparse(request.sparse), using=SPARSE)
    return [
        edge.QueryRequest(request.limit, query=dense, filter=kept, with_payload=False),
        edge.QueryRequest(request.limit, query=sparse, filter=kept, with_payload=False, params=corpus),
    ]


def to_match(point_id: str, score: float, payloads: Mapping[str, bytes]) -> engine_pb2.EngineMatch:
    """Returns a found point with what was read of it."""
    return engine_pb2.EngineMatch(point_id=point_id, score=score, payload=payloads[point_id])


def to_json(payload: Mapping[str, object] | None) -> bytes:
    """Returns a payload as it travels."""
    return json.dumps(payload or {}).encode()
