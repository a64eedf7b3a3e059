"""Between the engine's protos and the objects of the Qdrant Edge binding."""

import json

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
    return [
        edge.QueryRequest(request.limit, query=dense, filter=kept, with_payload=True),
        edge.QueryRequest(request.limit, query=sparse, filter=kept, with_payload=True, params=corpus),
    ]


def to_match(point: edge.ScoredPoint) -> engine_pb2.EngineMatch:
    """Returns a found point with its payload."""
    return engine_pb2.EngineMatch(score=point.score, payload=json.dumps(point.payload).encode())
