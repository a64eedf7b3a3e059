"""How deleted text leaves the engine's files while the collection is in use."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path

import pytest

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine import compaction, rebuild
from retrieval.engine.catalog import Catalog
from retrieval.engine.collection import Collection
from retrieval.engine.rebuild import RebuildFailed
from retrieval.engine.recording import Recording, RecordingOverrun

SECRET = "XYZZYmarker"
PREPARE = engine_pb2.PrepareCollectionRequest(collection="c", dimensions=8, keyword_keys=["t", "d"], tenant_key="t")


def keep(key, value):
    return engine_pb2.EngineFilter(must=[engine_pb2.EngineCondition(key=key, any_of=[value])])


def make_upsert(document, count=50, text="fox"):
    points = [
        engine_pb2.EnginePoint(
            point_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{document}/{i}")),
            dense=[float(i + 1)] + [1.0] * 7,
            sparse=engine_pb2.EngineSparseVector(indices=[1, 2], values=[1.0, i + 1.0]),
            payload=json.dumps({"t": "x", "d": document, "text": f"{text} {i}"}).encode(),
        )
        for i in range(count)
    ]
    return engine_pb2.UpsertPointsRequest(collection="c", points=points)


@pytest.fixture
async def catalog(tmp_path):
    made = Catalog(tmp_path / "engine", compact_after_seconds=0)
    await made.prepare(PREPARE)
    yield made
    await made.close()


async def upsert(catalog, document, **more):
    await catalog.update("c", lambda collection: collection.upsert(make_upsert(document, **more)))


async def delete(catalog, document):
    request = engine_pb2.DeletePointsRequest(collection="c", filter=keep("d", document))
    await catalog.update("c", lambda collection: collection.delete(request))


async def count(catalog, document):
    return await catalog.use("c", lambda collection: collection.count(keep("d", document)))


async def match(catalog, document):
    request = engine_pb2.MatchPointsRequest(
        collection="c",
        filter=keep("d", document),
        corpus=keep("t", "x"),
        dense=[3.0] + [1.0] * 7,
        sparse=engine_pb2.EngineSparseVector(indices=[1, 2], values=[1.0, 1.0]),
        limit=10,
    )
    found = await catalog.use("c", lambda collection: collection.match(request))
    return [
        [(round(hit.score, 4), json.loads(hit.payload)["text"]) for hit in leg] for leg in (found.dense, found.sparse)
    ]


async def compact(catalog):
    collection = await catalog.use("c", lambda collection: collection)
    await compaction.compact(collection, catalog._gates["c"], catalog._run)


def search_files(folder, marker=SECRET):
    return [path.name for path in folder.rglob("*") if path.is_file() and marker.encode() in path.read_bytes()]


async def test_deleted_text_leaves_the_files_and_the_rest_is_found_as_before(catalog, tmp_path):
    await upsert(catalog, "kept")
    await upsert(catalog, "gone", text=SECRET)
    await delete(catalog, "gone")
    await catalog.use("c", Collection.flush)
    assert search_files(tmp_path)
    before = await match(catalog, "kept")
    await compact(catalog)
    assert search_files(tmp_path) == []
    assert await match(catalog, "kept") == before
    assert (await count(catalog, "kept"), await count(catalog, "gone")) == (50, 0)
    assert sorted(path.name[:6] for path in (tmp_path / "engine" / "c").iterdir()) == ["collec", "shard-"]


async def test_a_deletion_sets_it_going_and_without_one_nothing_is_rewritten(catalog, tmp_path):
    await upsert(catalog, "kept")
    await delete(catalog, "never stored")
    await catalog._compact_due()
    assert (tmp_path / "engine" / "c" / "shard").exists()
    await upsert(catalog, "gone", text=SECRET)
    await delete(catalog, "gone")
    await catalog._compact_due()
    assert search_files(tmp_path) == []
    assert (await catalog.use("c", lambda collection: collection.manifest)).stale_since is None


async def test_a_deletion_is_remembered_over_a_restart(catalog, tmp_path):
    await upsert(catalog, "gone", text=SECRET)
    await delete(catalog, "gone")
    await catalog.close()
    again = Catalog(tmp_path / "engine", compact_after_seconds=0)
    await again.prepare(PREPARE)
    await again._compact_due()
    assert search_files(tmp_path) == []
    await again.close()


async def test_one_deletion_after_another_is_rewritten_a_tenth_of_the_time(catalog, monkeypatch):
    rewritten = []

    async def slow(*_):
        rewritten.append(time.monotonic())
        await asyncio.sleep(0.05)

    monkeypatch.setattr("retrieval.engine.catalog.compact", slow)
    await upsert(catalog, "gone")
    await delete(catalog, "gone")
    for _ in range(3):
        await catalog._compact_due()
    assert len(rewritten) == 1


async def test_what_is_written_meanwhile_is_in_the_new_files_and_queries_go_on(catalog, tmp_path, monkeypatch):
    await upsert(catalog, "kept")
    await upsert(catalog, "rewritten", text="old words")
    await upsert(catalog, "gone")
    await delete(catalog, "gone")
    answered = []

    async def rebuild_slowly(*arguments):
        building = asyncio.create_task(rebuild.rebuild_in_child(*arguments))
        await upsert(catalog, "new")
        await upsert(catalog, "rewritten", text="new words")
        await upsert(catalog, "gone too", text=SECRET)
        await delete(catalog, "gone too")
        while not building.done():
            answered.append(await count(catalog, "kept"))
            await asyncio.sleep(0.01)
        await building

    monkeypatch.setattr(compaction, "rebuild_in_child", rebuild_slowly)
    await compact(catalog)
    assert answered
    assert set(answered) == {50}
    counts = [await count(catalog, document) for document in ("kept", "new", "rewritten", "gone", "gone too")]
    assert counts == [50, 50, 50, 0, 0]
    assert {text[:9] for _, text in (await match(catalog, "rewritten"))[0]} == {"new words"}
    # What was deleted meanwhile was replayed, so it is in the new files and wants the next round.
    monkeypatch.undo()
    assert search_files(tmp_path)
    await catalog._compact_due()
    assert search_files(tmp_path) == []


async def test_a_child_that_dies_leaves_the_collection_as_it_was(catalog, tmp_path, monkeypatch):
    await upsert(catalog, "kept")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RebuildFailed):
        await compact(catalog)
    assert await count(catalog, "kept") == 50
    assert [path.name for path in (tmp_path / "engine" / "c").iterdir() if path.is_dir()] == ["shard"]
    await upsert(catalog, "new")
    assert await count(catalog, "new") == 50


async def test_more_writing_than_is_worth_holding_puts_it_off(catalog, monkeypatch):
    await upsert(catalog, "kept")
    monkeypatch.setattr(compaction, "Recording", lambda: Recording(most_bytes=1000))

    async def write_meanwhile(*arguments):
        await upsert(catalog, "new")
        await rebuild.rebuild_in_child(*arguments)

    monkeypatch.setattr(compaction, "rebuild_in_child", write_meanwhile)
    with pytest.raises(RecordingOverrun):
        await compact(catalog)
    assert [await count(catalog, document) for document in ("kept", "new")] == [50, 50]


CRASH = """
import asyncio, importlib, os, signal, sys
from pathlib import Path
from retrieval.engine import compaction
from retrieval.engine.catalog import Catalog

folder, module, name, when = sys.argv[1:]
place = importlib.import_module(module)
step = getattr(place, name)

def die(*arguments, **more):
    if when == "after":
        step(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    catalog = Catalog(Path(folder))
    collection = await catalog.use("c", lambda collection: collection)
    setattr(place, name, die)
    await compaction.compact(collection, catalog._gates["c"], catalog._run)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("compaction", "_copy", "before"),
        ("compaction", "_copy", "after"),
        ("compaction", "load_shard", "before"),
        ("manifest", "replace_text", "before"),
        ("manifest", "replace_text", "after"),
    ],
)
async def test_an_engine_killed_at_any_step_finds_one_whole_collection(catalog, tmp_path, module, name, when):
    folder = tmp_path / "engine"
    await upsert(catalog, "kept")
    await catalog.close()
    command = (sys.executable, "-c", CRASH, str(folder), f"retrieval.engine.{module}", name, when)
    child = await asyncio.create_subprocess_exec(*command)
    assert await child.wait() == -signal.SIGKILL
    again = Catalog(folder)
    await again.prepare(PREPARE)
    assert await count(again, "kept") == 50
    assert len([path for path in (folder / "c").iterdir() if path.is_dir()]) == 1
    await upsert(again, "new")
    await compact(again)
    assert [await count(again, document) for document in ("kept", "new")] == [50, 50]
    await again.close()


DIE_WITH_A_CHILD = """
import asyncio, os, signal, sys, time
from pathlib import Path
from retrieval.engine import rebuild

source, target, when = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def is_open(pid):
    try:
        return any(os.readlink(link) == str(source / "edge_config.json") for link in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # closed while we looked
        return False

async def main():
    start = asyncio.create_subprocess_exec
    async def start_and_die(*command, **more):
        child = await start(*command, **more)
        print(child.pid, flush=True)
        while when == "later" and not is_open(child.pid):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    asyncio.create_subprocess_exec = start_and_die
    await rebuild.rebuild_in_child(source, target, 8)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an orphan ends by itself")
@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_killed_engine_leaves_no_child_behind(tmp_path, when):
    source = tmp_path / "source"
    (source / "segments").mkdir(parents=True)
    os.mkfifo(source / "edge_config.json")
    # A reader of it waits for ever, as a long rebuild would take long.
    held = os.open(source / "edge_config.json", os.O_RDWR)
    command = (sys.executable, "-c", DIE_WITH_A_CHILD, str(source), str(tmp_path / "target"), when)
    engine = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    child = int(await engine.stdout.readline())
    assert await engine.wait() == -signal.SIGKILL
    await asyncio.to_thread(wait_for_end, child)
    os.close(held)


def wait_for_end(pid):
    limit = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < limit
        time.sleep(0.05)


def is_running(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
