"""The collections of one engine, and the one thread that works on them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.collection import Collection
from retrieval.engine.errors import CollectionUnknown
from servicekit.telemetry import get_logger

Result = TypeVar("Result")
FLUSH_SECONDS = 30.0


class Catalog:
    """Opens collections when they are first asked for. Calls run one at a time, in the order they came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Collection] = {}
        self._thread = ThreadPoolExecutor(1, "engine")

    async def prepare(self, request: engine_pb2.PrepareCollectionRequest) -> int:
        """Creates or opens a collection; returns how many points it holds. Raises CollectionMismatch."""
        return await self._run(lambda: self._prepare(request))

    async def use(self, name: str, work: Callable[[Collection], Result]) -> Result:
        """Runs work on a collection; what is cancelled before its turn never runs. Raises CollectionUnknown."""
        return await self._run(lambda: work(self._find(name)))

    async def flush_regularly(self) -> None:
        """Flushes what changed, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            for collection in list(self._open.values()):
                await self._run(collection.flush)

    async def close(self) -> None:
        """Ends running work, then flushes and closes every collection."""
        for collection in self._open.values():
            await self._run(collection.close)
        self._open.clear()
        self._thread.shutdown()

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _prepare(self, request: engine_pb2.PrepareCollectionRequest) -> int:
        path = self._locate(request.collection)
        if not path.exists():
            self._open[request.collection] = Collection.create(path, request)
            get_logger("engine").info("collection created", collection=request.collection)
        collection = self._find(request.collection)
        collection.check_dimensions(request.dimensions)
        return collection.count()

    def _find(self, name: str) -> Collection:
        if name not in self._open:
            path = self._locate(name)
            if not path.exists():
                raise CollectionUnknown(name)
            self._open[name] = Collection(path)
        return self._open[name]

    def _locate(self, name: str) -> Path:
        return self._folder / name
