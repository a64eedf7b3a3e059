"""What the engine answers on a full disk, and that it lives through it."""

import os
import signal
import subprocess
import sys
import tempfile
import uuid

import numpy as np
import pytest

from retrieval.engine.disk import UPDATE_BYTES, UPKEEP_BYTES
from retrieval.model import Chunk, DocumentVersion, Point, Scope, SparseVector
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Deadlines, Generation
from servicekit.errors import StorageFull

GENERATION = Generation("full", 8)
TENANT = str(uuid.uuid4())
QUERY = (np.ones(8, dtype=np.float32), SparseVector((7,), (1.0,)), 5)
MIB = 1024 * 1024


class EngineOnDisk:
    """`python -m retrieval engine` with its data on a small disk, and a client of it."""

    def __init__(self, folder, sockets):
        self.folder, self.target = folder, f"unix:{sockets}/engine.sock"
        self.start()
        self.index = EdgeVectorIndex(self.target, GENERATION, deadlines=Deadlines(read=60))

    def start(self):
        environment = {**os.environ, "DOCUCHAT_DATA_DIR": str(self.folder), "DOCUCHAT_ENGINE_TARGET": self.target}
        self.process = subprocess.Popen((sys.executable, "-m", "retrieval", "engine"), env=environment)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)

    async def find(self):
        found = await self.index.match(Scope(TENANT, "u"), *QUERY)
        return len(found.dense), len(found.sparse)


@pytest.fixture
async def engine(small_disk):
    with small_disk(256) as disk, tempfile.TemporaryDirectory(prefix="engine-") as sockets:
        made = EngineOnDisk(disk.folder, sockets)
        made.disk = disk
        yield made
        await made.index.close()
        made.stop(signal.SIGKILL)


def make_points(count, version_id="v", text="fox"):
    version = DocumentVersion(TENANT, "d", version_id, "c", "", "f", "t", "en")
    vectors = np.random.default_rng(0).random((count, 8), dtype=np.float32)
    ids = [str(uuid.uuid5(uuid.UUID(TENANT), f"{version_id}/{i}")) for i in range(count)]
    return [
        Point(ids[i], version, Chunk(i, text, 0, len(text), 0, 0), vectors[i], SparseVector((7,), (1.0,)))
        for i in range(count)
    ]


async def write_until_full(engine):
    for number in range(1000):
        try:
            await engine.index.upsert(make_points(64, f"v{number}", "x" * 15_000))
        except StorageFull:
            return number
    raise AssertionError("the disk is larger than it should be")


async def test_writing_until_the_disk_is_full_is_refused_while_reads_go_on_and_goes_on_with_space(engine):
    await engine.index.prepare()
    engine.disk.fill(leaving=UPDATE_BYTES + 16 * MIB)
    stored = await write_until_full(engine)
    assert stored > 0
    assert await engine.find() == (5, 5)
    for number in range(stored):
        assert await engine.index.count(TENANT, f"v{number}") == 64
    engine.disk.empty()
    await engine.index.upsert(make_points(64, "later"))
    await engine.index.flush()
    assert await engine.index.count(TENANT, "later") == 64
    assert engine.process.poll() is None


async def test_with_not_a_byte_left_every_write_says_so_and_the_process_lives(engine):
    await engine.index.upsert(make_points(64))
    engine.disk.fill()
    other = EdgeVectorIndex(engine.target, Generation("other", 8))
    for call in (
        engine.index.upsert(make_points(64, "w")),
        engine.index.delete_version(TENANT, "v"),
        other.prepare(),
    ):
        with pytest.raises(StorageFull):
            await call
    await other.close()
    await engine.index.flush()
    assert await engine.index.count(TENANT, "v") == 64
    assert await engine.find() == (5, 5)
    engine.disk.empty()
    await engine.index.upsert(make_points(64, "w"))
    assert await engine.index.count(TENANT, "w") == 64
    assert engine.process.poll() is None


async def test_points_can_be_removed_when_nothing_can_be_added(engine):
    await engine.index.upsert(make_points(64))
    engine.disk.fill(leaving=(UPDATE_BYTES + UPKEEP_BYTES) // 2)
    with pytest.raises(StorageFull):
        await engine.index.upsert(make_points(64, "w"))
    await engine.index.delete_version(TENANT, "v")
    assert await engine.index.count(TENANT, "v") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_on_a_full_disk_loses_nothing(engine, number):
    await engine.index.upsert(make_points(64))
    engine.disk.fill()
    code = engine.stop(number)
    assert code == (0 if number is signal.SIGTERM else -number)
    engine.start()
    with pytest.raises(StorageFull):
        await engine.index.count(TENANT, "v")
    engine.disk.empty()
    assert await engine.index.count(TENANT, "v") == 64
