"""The collections of one engine, and whose turn it is to work on them."""

import asyncio
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Collection as Names
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.collection import Collection
from retrieval.engine.compaction import compact
from retrieval.engine.disk import sync_folder
from retrieval.engine.errors import CollectionDamaged, CollectionUnknown
from servicekit.repeating import repeat
from servicekit.telemetry import count_event, get_logger

Result = TypeVar("Result")
FLUSH_SECONDS = 30.0
COMPACTION_CHECK_SECONDS = 10.0
# Compaction takes at most a tenth of the time: after one that took a minute there is none for ten.
REST = 10


class Catalog:
    """Opens collections when they are first asked for. One call works on them at a time.

    What writes, opens or flushes does so in a thread, in the order it came.
    """

    def __init__(self, folder: Path, *, compact_after_seconds: float = 900.0) -> None:
        """compact_after_seconds is how long what was deleted may stay in the files."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._compact_after_seconds = compact_after_seconds
        self._next_compaction = 0.0
        self._open: dict[str, Collection] = {}
        self._gates: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._thread = ThreadPoolExecutor(1, "engine")
        self._turn = threading.Lock()

    async def prepare(self, request: engine_pb2.PrepareCollectionRequest) -> int:
        """Creates or opens a collection; returns how many points it holds. Raises CollectionMismatch, StorageFull."""
        return await self._run(lambda: self._prepare(request))

    async def use(self, name: str, work: Callable[[Collection], Result]) -> Result:
        """Runs work on a collection; what is cancelled before its turn never runs. Raises CollectionUnknown."""
        return await self._run(lambda: self._use(name, work))

    async def look(self, name: str, work: Callable[[Collection], Result]) -> Result:
        """Runs work that only reads, at once where nothing else is under way. Raises CollectionUnknown.

        The binding holds the interpreter lock to its end: in a thread the loop would stand still just as long, and
        the way there and back costs more than most queries.
        """
        if name not in self._open or not self._turn.acquire(blocking=False):
            return await self.use(name, work)
        try:
            return self._use(name, work)
        finally:
            self._turn.release()

    async def update(self, name: str, work: Callable[[Collection], Result]) -> Result:
        """Runs work that writes. Raises CollectionUnknown, StorageFull."""
        async with self._gates[name]:
            return await self.use(name, work)

    async def force(self, name: str) -> None:
        """Returns once every update so far survives a power cut; queries go on.

        Raises CollectionUnknown, StorageFull.
        """
        async with self._gates[name]:
            log = await self.use(name, lambda collection: collection.log_folder)
            # Forcing the log is enough, and holds neither the engine's thread nor the interpreter lock.
            await asyncio.to_thread(sync_folder, log)

    async def keep(self, names: Names[str]) -> None:
        """Removes every collection that has none of these names, its files included."""
        others = [path for path in self._folder.iterdir() if path.is_dir() and path.name not in names]
        for path in [path for path in others if not path.name.startswith(".")]:
            async with self._gates[path.name]:
                await self._run(partial(self._drop, path))

    async def flush_regularly(self) -> None:
        """Flushes what changed, until cancelled."""
        await repeat("flush", self._flush_all, every_seconds=FLUSH_SECONDS)

    async def compact_regularly(self) -> None:
        """Rewrites collections whose files hold what was deleted a while ago, until cancelled."""
        await repeat("compaction", self._compact_due, every_seconds=COMPACTION_CHECK_SECONDS)

    async def close(self) -> None:
        """Ends running work, then flushes and closes every collection."""
        for collection in self._open.values():
            await self._run(collection.close)
        self._open.clear()
        self._thread.shutdown()

    async def _run(self, work: Callable[[], Result]) -> Result:
        def work_alone() -> Result:
            with self._turn:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, work_alone)

    async def _flush_all(self) -> None:
        for name in list(self._open):
            await self.use(name, Collection.flush)

    async def _compact_due(self) -> None:
        if time.monotonic() < self._next_compaction:
            return
        due = time.time() - self._compact_after_seconds
        for name, collection in list(self._open.items()):
            if (collection.manifest.stale_since or time.time()) > due:
                continue
            started = time.monotonic()
            try:
                await compact(collection, self._gates[name], self._run)
            finally:
                self._next_compaction = time.monotonic() + REST * (time.monotonic() - started)

    def _prepare(self, request: engine_pb2.PrepareCollectionRequest) -> int:
        path = self._folder / request.collection
        try:
            collection = self._find(request.collection)
        except CollectionUnknown:
            collection = self._open[request.collection] = Collection.create(path, request)
            get_logger("engine").info("collection created", collection=request.collection)
        collection.check_dimensions(request.dimensions)
        return self._use(request.collection, Collection.count)

    def _use(self, name: str, work: Callable[[Collection], Result]) -> Result:
        """Runs work; files that cannot be read are opened anew once, then set aside. Raises CollectionUnknown."""
        try:
            return work(self._find(name))
        except CollectionDamaged:
            self._abandon(name)
        try:
            return work(self._find(name))
        except CollectionDamaged as error:
            self._abandon(name)
            self._set_aside(name)
            raise CollectionUnknown(name) from error

    def _find(self, name: str) -> Collection:
        if name not in self._open:
            path = self._folder / name
            if not path.exists():
                raise CollectionUnknown(name)
            self._open[name] = Collection(path)
        return self._open[name]

    def _abandon(self, name: str) -> None:
        if collection := self._open.pop(name, None):
            collection.abandon()

    def _set_aside(self, name: str) -> None:
        """Makes room for an empty collection, whose points whoever owns the documents sends again."""
        aside = self._folder / f".{name}.damaged"
        shutil.rmtree(aside, ignore_errors=True)
        (self._folder / name).rename(aside)
        count_event("engine.collection.damaged")
        get_logger("engine").error(
            "collection damaged: set aside, to be filled again", collection=name, files=str(aside)
        )

    def _drop(self, path: Path) -> None:
        self._abandon(path.name)
        shutil.rmtree(path)
        get_logger("engine").warning("collection dropped: nothing refers to it", collection=path.name)
