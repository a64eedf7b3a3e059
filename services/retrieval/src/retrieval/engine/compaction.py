"""Gives a collection a new shard without what was deleted, while it is in use.

flush and copy the files -> a child rebuilds them into a new shard -> replay what
was written since -> swap. The manifest names the collection's shard and is
replaced in one step, so a kill at any moment leaves the old one or the new one
whole, and the next start removes the other.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.collection import Collection, apply_update, flush_shard, load_shard
from retrieval.engine.disk import UPDATE_BYTES, copy_sparse, measure, require_space
from retrieval.engine.rebuild import rebuild_in_child
from retrieval.engine.recording import Recording
from servicekit.telemetry import get_logger

Result = TypeVar("Result")
# What a shard is without its log, which a flush makes needless and which would copy deleted text.
SEGMENTS, SCHEMA = "segments", "edge_config.json"
# The copy and the new shard, each at most as large as what is there.
COPIES = 2


class EngineThread(Protocol):
    """Runs work on the one thread that calls the binding, in the order it came."""

    def __call__(self, work: Callable[[], Result]) -> Awaitable[Result]:
        """Returns what the work returns."""
        ...


async def compact(collection: Collection, gate: asyncio.Lock, run: EngineThread) -> None:
    """Rewrites a collection's files; queries go on, updates wait while files are copied.

    `gate` is held by whoever updates the collection. Raises StorageFull, RebuildFailed,
    RecordingOverrun; the collection is then as it was.
    """
    started = time.monotonic()
    name = f"shard-{uuid4().hex}"
    copy, target, old = collection.folder / f"copy-{name}", collection.folder / name, collection.shard_folder
    recording = Recording()
    try:
        async with gate:
            await run(collection.flush)
            await asyncio.to_thread(_copy, old, copy)
            collection.recording = recording
        await rebuild_in_child(copy, target, collection.dimensions)
        successor = await run(partial(Successor, collection, recording, name))
        await _take_over(successor, gate, run)
    finally:
        collection.recording = None
        for folder in {copy, target, old} - {collection.shard_folder}:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    seconds = round(time.monotonic() - started, 1)
    get_logger("engine").info("collection compacted", collection=collection.name, seconds=seconds)


class Successor:
    """The new shard, until it has caught up with the old one."""

    def __init__(self, collection: Collection, recording: Recording, name: str) -> None:
        self._collection = collection
        self._name = name
        self._folder = collection.folder / name
        self._shard = load_shard(self._folder)
        self._stale_since: float | None = None
        self._changed = False
        self.recording = recording

    def catch_up(self) -> None:
        """Replays the oldest update that is missing."""
        update = self.recording.take()
        apply_update(self._shard, update)
        self._changed = True
        if isinstance(update, engine_pb2.DeletePointsRequest):
            self._stale_since = self._stale_since or time.time()

    def take_over(self) -> None:
        """Replays what is still missing, then becomes the collection's shard."""
        while self.recording:
            self.catch_up()
        self.recording.require_whole()
        if self._changed:
            flush_shard(self._shard, self._folder)
        self._collection.adopt(self._name, self._shard, stale_since=self._stale_since)

    def close(self) -> None:
        """Lets go of the files."""
        self._shard.close()


async def _take_over(successor: Successor, gate: asyncio.Lock, run: EngineThread) -> None:
    try:
        # One at a time, so that queries get their turn; what comes meanwhile is less, and waits for the swap.
        for _ in range(len(successor.recording)):
            await run(successor.catch_up)
        async with gate:
            await run(successor.take_over)
    except BaseException:
        await run(successor.close)
        raise


def _copy(shard: Path, target: Path) -> None:
    require_space(shard, UPDATE_BYTES + COPIES * measure(shard))
    copy_sparse(shard / SEGMENTS, target / SEGMENTS)
    shutil.copyfile(shard / SCHEMA, target / SCHEMA)
