"""One collection on disk: the only code that calls the Qdrant Edge binding.

Every call of the binding holds the interpreter lock to its end, so callers
keep batches small and never have it optimise.
"""

import json
import shutil
from pathlib import Path
from typing import Self

import qdrant_edge as edge

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.convert import DENSE, SPARSE, to_filter, to_match, to_point, to_queries
from retrieval.engine.errors import CollectionMismatch

MANIFEST = "collection.json"
SHARD = "shard"


class Collection:
    """An open collection. Not for use by two threads at once.

    Everything goes through `_shard`: one that was optimised elsewhere, on a copy, can take its place.
    """

    def __init__(self, folder: Path) -> None:
        """Opens what create() made; replays what was not flushed before the process died."""
        self.name = folder.name
        self.dimensions = int(json.loads((folder / MANIFEST).read_text())["dimensions"])
        self._shard = edge.EdgeShard.load(str(folder / SHARD))
        self.changed = False

    @classmethod
    def create(cls, folder: Path, request: engine_pb2.PrepareCollectionRequest) -> Self:
        """Makes the folder complete under another name first, so that a kill leaves none or all of it."""
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / MANIFEST).write_text(json.dumps({"dimensions": request.dimensions}))
        shard = edge.EdgeShard.create(str(part / SHARD), _configure(request.dimensions))
        for key in request.keyword_keys:
            params = edge.KeywordIndexParams(is_tenant=key == request.tenant_key)
            shard.update(edge.UpdateOperation.create_field_index(key, params))
        shard.flush()
        shard.close()
        part.rename(folder)
        return cls(folder)

    def check_dimensions(self, given: int) -> None:
        """Raises CollectionMismatch unless vectors of this length fit."""
        if given != self.dimensions:
            raise CollectionMismatch(self.name, self.dimensions, given)

    def upsert(self, request: engine_pb2.UpsertPointsRequest) -> None:
        """Writes points; on return they are in the write-ahead log and survive a kill."""
        for point in request.points:
            # The log would keep an update that fails, and fail again at every start.
            self.check_dimensions(len(point.dense))
        self._shard.update(edge.UpdateOperation.upsert_points([to_point(point) for point in request.points]))
        self.changed = True

    def match(self, request: engine_pb2.MatchPointsRequest) -> engine_pb2.MatchPointsResponse:
        """Finds the nearest points by each vector."""
        self.check_dimensions(len(request.dense))
        queries = edge.QueryBatchRequest(to_queries(request))
        dense, sparse = ([to_match(point) for point in leg] for leg in self._shard.query_batch(queries))
        return engine_pb2.MatchPointsResponse(dense=dense, sparse=sparse)

    def count(self, kept: engine_pb2.EngineFilter | None = None) -> int:
        """Counts exactly: all points, or those a filter lets through."""
        return self._shard.count(edge.CountRequest(exact=True, filter=to_filter(kept) if kept else None))

    def delete(self, gone: engine_pb2.EngineFilter) -> None:
        """Removes the points that a filter lets through."""
        self._shard.update(edge.UpdateOperation.delete_points_by_filter(to_filter(gone)))
        self.changed = True

    def flush(self) -> None:
        """Writes changes to their segments, which shortens the log and so the next start."""
        if self.changed:
            self._shard.flush()
            self.changed = False

    def close(self) -> None:
        """Flushes and lets go of the files."""
        self.flush()
        self._shard.close()


def _configure(dimensions: int) -> edge.EdgeConfig:
    return edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(dimensions, edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
    )
