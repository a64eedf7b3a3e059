"""One collection on disk: the only code that calls the Qdrant Edge binding in the engine's process.

Every call of the binding holds the interpreter lock to its end, so callers
keep batches small and never have it optimise.
"""

import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import qdrant_edge as edge

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.convert import DENSE, SPARSE, to_filter, to_json, to_match, to_point, to_queries
from retrieval.engine.disk import (
    UPDATE_BYTES,
    UPKEEP_BYTES,
    WRITTEN_TIMES,
    require_space,
    sync_folder,
    sync_names,
    sync_path,
)
from retrieval.engine.errors import CollectionMismatch, binding_errors
from retrieval.engine.manifest import Manifest
from retrieval.engine.recording import Recording, Update
from servicekit.errors import AppError, StorageFull
from servicekit.memory import Memory
from servicekit.telemetry import get_logger

LOG = "wal"
# Payloads as they travel: of some 10,000 points whole, or 70,000 by the keys that order and visibility hang on.
REMEMBERED_BYTES = 32 * 1024 * 1024
# Without optimising a shard has one segment: more threads of the binding cost their wake-ups and bring nothing.
SEARCH_THREADS = 1


class Collection:
    """An open collection. Not for use by two threads at once.

    Everything goes through `_shard`, so that one that was made elsewhere can take its place.
    """

    def __init__(self, folder: Path) -> None:
        """Opens what create() made; replays what was not flushed before the process died.

        Raises CollectionDamaged; StorageFull, as what is replayed is written again.
        """
        self.name = folder.name
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self._remove_leftovers()
        require_space(folder, UPKEEP_BYTES)
        self._shard = load_shard(self.shard_folder)
        # By the keys that are asked for, none for all. Every write goes through _apply, which lets go of them.
        self._payloads: Memory[tuple[tuple[str, ...], str], bytes] = Memory(REMEMBERED_BYTES)
        # What was replayed is in the log, which nobody may have forced to the disk.
        self.changed = True
        self.recording: Recording | None = None

    @classmethod
    def create(cls, folder: Path, request: engine_pb2.PrepareCollectionRequest) -> Self:
        """Makes the folder complete under another name first, so that a kill leaves none or all of it."""
        require_space(folder.parent, UPDATE_BYTES)
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        manifest = Manifest(request.dimensions)
        manifest.write(part)
        keys = {key: edge.KeywordIndexParams(is_tenant=key == request.tenant_key) for key in request.keyword_keys}
        create_shard(part / manifest.shard, request.dimensions, keys).close()
        sync_folder(part)
        part.rename(folder)
        sync_path(folder.parent)
        return cls(folder)

    @property
    def dimensions(self) -> int:
        """The length of every dense vector."""
        return self.manifest.dimensions

    @property
    def shard_folder(self) -> Path:
        """Where the binding's files are."""
        return self.folder / self.manifest.shard

    def check_dimensions(self, given: int) -> None:
        """Raises CollectionMismatch unless vectors of this length fit."""
        if given != self.dimensions:
            raise CollectionMismatch(self.name, self.dimensions, given)

    def upsert(self, request: engine_pb2.UpsertPointsRequest) -> None:
        """Writes points; on return they are in the write-ahead log and survive a kill. Raises StorageFull."""
        for point in request.points:
            # The log would keep an update that fails, and fail again at every start.
            self.check_dimensions(len(point.dense))
        require_space(self.folder, UPDATE_BYTES + WRITTEN_TIMES * request.ByteSize())
        self._apply(request)

    def match(self, request: engine_pb2.MatchPointsRequest) -> engine_pb2.MatchPointsResponse:
        """Finds the nearest points by each vector."""
        self.check_dimensions(len(request.dense))
        queries = edge.QueryBatchRequest(to_queries(request))
        with binding_errors():
            found = self._shard.query_batch(queries)
        legs = [[(str(point.id), point.score) for point in leg] for leg in found]
        leading = {point_id for leg in legs for point_id, _ in leg[: request.whole_count]}
        others = {point_id for leg in legs for point_id, _ in leg} - leading
        payloads = {**self._read(leading), **self._read(others, tuple(request.payload_keys))}
        dense, sparse = ([to_match(*match, payloads) for match in leg] for leg in legs)
        return engine_pb2.MatchPointsResponse(dense=dense, sparse=sparse)

    def get(self, request: engine_pb2.GetPointsRequest) -> engine_pb2.GetPointsResponse:
        """Looks points up."""
        found = self._read(request.point_ids)
        stored = [engine_pb2.StoredPoint(point_id=point_id, payload=payload) for point_id, payload in found.items()]
        return engine_pb2.GetPointsResponse(points=stored)

    def _read(self, point_ids: Iterable[str], keys: tuple[str, ...] = ()) -> dict[str, bytes]:
        """Returns the payloads of points, or what some keys of them hold; without points that are gone."""
        recalled = {point_id: self._payloads.recall((keys, point_id)) for point_id in point_ids}
        unknown = [point_id for point_id, payload in recalled.items() if payload is None]
        read = self._retrieve(unknown, keys) if unknown else {}
        for point_id, payload in read.items():
            self._payloads.remember((keys, point_id), payload, len(point_id) + len(payload))
        return {point_id: payload for point_id, payload in recalled.items() if payload is not None} | read

    def _retrieve(self, point_ids: Sequence[str], keys: tuple[str, ...]) -> dict[str, bytes]:
        with binding_errors():
            found = self._shard.retrieve([*point_ids], with_payload=[*keys] or True, with_vector=False)
        return {str(point.id): to_json(point.payload) for point in found}

    def count(self, kept: engine_pb2.EngineFilter | None = None) -> int:
        """Counts exactly: all points, or those a filter lets through."""
        with binding_errors():
            return self._shard.count(edge.CountRequest(exact=True, filter=to_filter(kept) if kept else None))

    def delete(self, request: engine_pb2.DeletePointsRequest) -> None:
        """Removes the points that a filter lets through. Raises StorageFull."""
        if not self.count(request.filter):
            return
        require_space(self.folder, UPKEEP_BYTES)
        if self.manifest.stale_since is None:
            self._write_manifest(replace(self.manifest, stale_since=time.time()))
        self._apply(request)

    @property
    def log_folder(self) -> Path:
        """Where every update is written first; forced to the disk, it survives a power cut."""
        return self.shard_folder / LOG

    def flush(self) -> None:
        """Forces everything to the disk, which shortens the log and so the next start. Raises StorageFull."""
        if self.changed:
            require_space(self.folder, UPKEEP_BYTES)
            flush_shard(self._shard, self.shard_folder)
            self.changed = False

    def adopt(self, name: str, shard: edge.EdgeShard, *, stale_since: float | None) -> None:
        """Goes on with another shard of the folder, which holds the same points and is on the disk."""
        self._write_manifest(replace(self.manifest, shard=name, stale_since=stale_since))
        old, self._shard, self.changed = self._shard, shard, False
        old.close()

    def abandon(self) -> None:
        """Lets go of files that cannot be worked with, as far as they let it."""
        if self.recording is not None:
            self.recording.give_up()
        with suppress(AppError), binding_errors():
            self._shard.close()

    def close(self) -> None:
        """Flushes and lets go of the files; with a full disk the log keeps what could not be flushed."""
        try:
            self.flush()
        except StorageFull:
            get_logger("engine").warning("collection closed without a flush", collection=self.name)
        self._shard.close()

    def _apply(self, request: Update) -> None:
        self.changed = True
        self._payloads.forget_all()
        apply_update(self._shard, request)
        if self.recording is not None:
            self.recording.add(request)

    def _write_manifest(self, manifest: Manifest) -> None:
        manifest.write(self.folder)
        self.manifest = manifest

    def _remove_leftovers(self) -> None:
        """Removes shards that a kill left half made, or kept from being removed."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != self.manifest.shard:
                shutil.rmtree(path, ignore_errors=True)


def load_shard(folder: Path) -> edge.EdgeShard:
    """Opens a shard. Raises CollectionDamaged."""
    with binding_errors():
        return edge.EdgeShard.load(str(folder))


def create_shard(folder: Path, dimensions: int, keys: dict[str, edge.KeywordIndexParams]) -> edge.EdgeShard:
    """Makes an empty shard with an index on each keyword field."""
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(dimensions, edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        max_search_threads=SEARCH_THREADS,
    )
    with binding_errors():
        shard = edge.EdgeShard.create(str(folder), config)
        for key, params in keys.items():
            shard.update(edge.UpdateOperation.create_field_index(key, params))
        shard.flush()
    return shard


def apply_update(shard: edge.EdgeShard, request: Update) -> None:
    """Writes what a request says into the shard's log and segments."""
    with binding_errors():
        if isinstance(request, engine_pb2.UpsertPointsRequest):
            shard.update(edge.UpdateOperation.upsert_points([to_point(point) for point in request.points]))
        else:
            shard.update(edge.UpdateOperation.delete_points_by_filter(to_filter(request.filter)))


def flush_shard(shard: edge.EdgeShard, folder: Path) -> None:
    """Has the binding force its log and segments to the disk, then forces the names of new files, which it does not."""
    with binding_errors():
        shard.flush()
    sync_names(folder)
