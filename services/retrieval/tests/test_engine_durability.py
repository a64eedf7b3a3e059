"""What is left of a collection after a power cut, a broken file or a lost folder."""

import os
import shutil
import subprocess
import uuid
from collections import Counter
from pathlib import Path

import pytest

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.catalog import Catalog
from retrieval.engine.collection import Collection
from retrieval.engine.errors import CollectionUnknown, binding_errors
from servicekit.errors import StorageFull

PREPARE = engine_pb2.PrepareCollectionRequest(collection="c", dimensions=8, keyword_keys=["t"], tenant_key="t")
ALL = engine_pb2.EngineFilter(must=[engine_pb2.EngineCondition(key="t", any_of=["x"])])
QUERY = engine_pb2.MatchPointsRequest(
    collection="c",
    filter=ALL,
    corpus=ALL,
    dense=[1.0] * 8,
    sparse=engine_pb2.EngineSparseVector(indices=[1], values=[1.0]),
    limit=5,
)


def make_upsert(count):
    sparse = engine_pb2.EngineSparseVector(indices=[1], values=[1.0])
    points = [
        engine_pb2.EnginePoint(point_id=str(uuid.uuid4()), dense=[1.0] * 8, sparse=sparse, payload=b'{"t": "x"}')
        for _ in range(count)
    ]
    return engine_pb2.UpsertPointsRequest(collection="c", points=points)


def copy_tree(source, target):
    """Copies a folder and leaves the holes in its files out: they are most of 180 MB."""
    subprocess.run(["cp", "-r", "--sparse=always", str(source), str(target)], check=True)


async def fill(folder, count=64):
    """Stores points in a collection and leaves its files as a kill would: flushed once, then written to."""
    catalog = Catalog(folder)
    await catalog.prepare(PREPARE)
    for _ in range(2):
        await catalog.update("c", lambda collection: collection.upsert(make_upsert(count)))
        await catalog.use("c", Collection.flush)
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(count)))
    copy = folder.with_name("after-the-cut")
    copy_tree(folder, copy)
    await catalog.close()
    return copy


async def count(catalog):
    return await catalog.use("c", lambda collection: collection.count(ALL))


async def repair(catalog):
    """What the client of the engine does with a collection that is unknown."""
    try:
        await count(catalog)
    except CollectionUnknown:
        await catalog.prepare(PREPARE)
    found = await catalog.use("c", lambda collection: collection.match(QUERY))
    assert len(found.dense) == len(found.sparse) == min(5, await count(catalog))


@pytest.mark.parametrize("length", [1000, 9000, 30_000])
async def test_a_log_whose_tail_is_cut_off_is_opened_and_what_was_flushed_is_there(tmp_path, length):
    folder = await fill(tmp_path / "engine")
    os.truncate(folder / "c" / "shard" / "wal" / "open-1", length)
    catalog = Catalog(folder)
    await repair(catalog)
    assert await count(catalog) >= 128
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(64)))
    assert await count(catalog) >= 192
    await catalog.close()


def cut_in_half(path):
    os.truncate(path, path.stat().st_size // 2)


def list_files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


async def test_whatever_file_is_cut_short_the_collection_opens_or_is_set_aside_and_takes_points_again(tmp_path):
    whole = await fill(tmp_path / "engine")
    outcomes = Counter()
    for number, name in enumerate(list_files(whole)):
        folder = tmp_path / f"cut{number}"
        copy_tree(whole, folder)
        cut_in_half(folder / name)
        catalog = Catalog(folder)
        await repair(catalog)
        await catalog.update("c", lambda collection: collection.upsert(make_upsert(10)))
        assert await count(catalog) >= 10
        outcomes[(folder / ".c.damaged").exists()] += 1
        await catalog.close()
        shutil.rmtree(folder)
    assert outcomes[True] > 5
    assert outcomes[False] > 5


async def test_a_segment_that_is_missing_leaves_a_collection_that_can_be_filled_again(tmp_path):
    folder = await fill(tmp_path / "engine")
    shutil.rmtree(next((folder / "c" / "shard" / "segments").iterdir()))
    catalog = Catalog(folder)
    await repair(catalog)
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(64)))
    assert await count(catalog) >= 64
    await catalog.close()


async def test_a_folder_that_is_lost_while_the_engine_is_away_is_made_again(tmp_path):
    folder = await fill(tmp_path / "engine")
    shutil.rmtree(folder)
    catalog = Catalog(folder)
    await repair(catalog)
    assert await count(catalog) == 0
    await catalog.close()


@pytest.mark.parametrize("number", [28, 122])
def test_a_full_disk_is_no_damage(number):
    with pytest.raises(StorageFull), binding_errors():
        raise Exception(f"Service runtime error: IO Error: somewhere (os error {number})")  # noqa: TRY002 - as the binding does


async def test_a_machine_out_of_files_is_no_damage(tmp_path, monkeypatch):
    folder = await fill(tmp_path / "engine")

    def load(_):
        raise Exception("Service runtime error: IO Error: Too many open files (os error 24)")  # noqa: TRY002 - as above

    monkeypatch.setattr("retrieval.engine.collection.edge.EdgeShard.load", load)
    catalog = Catalog(folder)
    with pytest.raises(Exception, match="try again"):
        await count(catalog)
    monkeypatch.undo()
    assert await count(catalog) == 192
    await catalog.close()


class Sync:
    """Notes what is forced to the disk."""

    def __init__(self, monkeypatch):
        self.paths = set()
        real = os.fsync

        def fsync(file):
            self.paths.add(str(Path(f"/proc/self/fd/{file}").readlink()))
            real(file)

        monkeypatch.setattr(os, "fsync", fsync)


async def test_a_flush_forces_the_names_of_new_files_too(tmp_path, monkeypatch):
    catalog = Catalog(tmp_path / "engine")
    await catalog.prepare(PREPARE)
    await catalog.use("c", Collection.flush)
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(64)))
    synced = Sync(monkeypatch)
    await catalog.use("c", Collection.flush)
    shard = tmp_path / "engine" / "c" / "shard"
    assert {str(path) for path in (shard, *shard.rglob("*")) if path.is_dir()} <= synced.paths
    synced.paths.clear()
    await catalog.use("c", Collection.flush)
    assert not synced.paths
    await catalog.close()


async def test_what_is_forced_is_in_the_log_on_the_disk(tmp_path, monkeypatch):
    catalog = Catalog(tmp_path / "engine")
    await catalog.prepare(PREPARE)
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(64)))
    synced = Sync(monkeypatch)
    await catalog.force("c")
    log = tmp_path / "engine" / "c" / "shard" / "wal"
    assert synced.paths == {str(log), *(str(path) for path in log.iterdir())}
    await catalog.close()


async def test_the_log_alone_brings_back_what_was_forced(tmp_path):
    """A power cut may take everything but what was forced: here the segments are as they were before."""
    catalog = Catalog(tmp_path / "engine")
    await catalog.prepare(PREPARE)
    await catalog.use("c", Collection.flush)
    copy_tree(tmp_path / "engine", tmp_path / "disk")
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(64)))
    await catalog.force("c")
    log = Path("c", "shard", "wal")
    shutil.rmtree(tmp_path / "disk" / log)
    copy_tree(tmp_path / "engine" / log, tmp_path / "disk" / log)
    await catalog.close()
    again = Catalog(tmp_path / "disk")
    assert await count(again) == 64
    await again.close()


async def test_a_collection_is_on_the_disk_when_it_is_there(tmp_path, monkeypatch):
    synced = Sync(monkeypatch)
    catalog = Catalog(tmp_path / "engine")
    await catalog.prepare(PREPARE)
    assert str(tmp_path / "engine") in synced.paths
    assert str(tmp_path / "engine" / ".c.part" / "collection.json") in synced.paths
    await catalog.close()


async def test_what_a_start_replayed_is_flushed_although_nothing_has_changed_since(tmp_path, monkeypatch):
    folder = await fill(tmp_path / "engine")
    catalog = Catalog(folder)
    assert await count(catalog) == 192
    synced = Sync(monkeypatch)
    await catalog.use("c", Collection.flush)
    assert str(folder / "c" / "shard") in synced.paths
    await catalog.close()


async def test_only_named_collections_are_kept(tmp_path):
    catalog = Catalog(tmp_path / "engine")
    await catalog.prepare(PREPARE)
    await catalog.prepare(engine_pb2.PrepareCollectionRequest(collection="old", dimensions=4))
    await catalog.keep(["c", "never-made"])
    assert [path.name for path in (tmp_path / "engine").iterdir()] == ["c"]
    with pytest.raises(CollectionUnknown):
        await catalog.use("old", Collection.count)
    assert await count(catalog) == 0
    await catalog.close()
