"""The object store on a folder and in memory, and the sweep of what uploads leave behind."""

import asyncio
import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import obstore.store
import pytest

from ingestion.errors import ObjectMissing
from ingestion.model import Placement
from ingestion.pipeline.discard import UploadDiscarder
from ingestion.stores.objects import ObstoreObjectStore
from servicekit.errors import AppError, Code

NOW = timedelta(seconds=-60)


@pytest.fixture(params=["file", "memory"])
def objects(request, tmp_path):
    url = f"file://{tmp_path}/made/objects" if request.param == "file" else "memory:///"
    return ObstoreObjectStore.connect(url)


async def content(*frames, error=None, hanging=None):
    for frame in frames:
        yield frame
    if hanging is not None:
        hanging.set()
        await asyncio.sleep(60)
    if error is not None:
        raise error


async def read(objects, key, frame_bytes=1000):
    return [frame async for frame in objects.read(key, frame_bytes)]


async def keys(objects, prefix=""):
    return sorted([key async for key, _ in objects._list(prefix)])


async def test_an_object_comes_back_as_it_was_put_in_frames_of_the_size_asked_for(objects, tmp_path):
    data = [bytes([number]) * 700_000 for number in range(20)]
    await objects.put("a/b/raw", content(*data))
    frames = await read(objects, "a/b/raw", 262_144)
    assert b"".join(frames) == b"".join(data)
    assert max(map(len, frames)) <= 262_144
    await objects.download("a/b/raw", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"".join(data)


async def test_nothing_is_left_of_a_put_that_fails_or_is_cancelled(objects, tmp_path):
    part = b"x" * 6_000_000
    with pytest.raises(RuntimeError, match="too large"):
        await objects.put("a/b", content(part, part, error=RuntimeError("too large")))
    hanging = asyncio.Event()
    task = asyncio.ensure_future(objects.put("a/c", content(part, part, hanging=hanging)))
    await hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    assert await keys(objects) == []


async def test_a_cancelled_put_stores_nothing_after_it_is_over(objects, tmp_path):
    for turns in range(60):
        task = asyncio.ensure_future(objects.put(f"a/{turns}", content(b"x" * 200_000, b"y")))
        for _ in range(turns):
            await asyncio.sleep(0)
        finished = not task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await objects.delete([f"a/{turns}"])
        assert finished or not any(path.is_file() for path in tmp_path.rglob("*"))


async def test_a_cancelled_copy_makes_nothing_after_it_is_over(objects, monkeypatch):
    copy, begun, go_on = obstore.copy_async, asyncio.Event(), asyncio.Event()

    async def copy_late(*arguments):
        begun.set()
        await go_on.wait()
        await copy(*arguments)

    monkeypatch.setattr(obstore, "copy_async", copy_late)
    await objects.put("in/1", content(b"text"))
    task = asyncio.ensure_future(objects.copy("in/1", "out/1"))
    await begun.wait()
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(objects) == ["in/1", "out/1"]


async def test_objects_are_copied_deleted_and_missed(objects, tmp_path):
    await objects.put("in/1", content(b"text"))
    await objects.copy("in/1", "out/1")
    await objects.delete(["in/1", "in/1"])
    assert await read(objects, "out/1") == [b"text"]
    for miss in (objects.copy("in/1", "x"), read(objects, "in/1"), objects.download("in/1", tmp_path / "x")):
        with pytest.raises(ObjectMissing):
            await miss


async def test_a_prefix_is_deleted_with_all_below_and_nothing_beside(objects):
    for key in ("t/d1/v1/raw", "t/d1/v2/raw", "t/d10/v/raw"):
        await objects.put(key, content(b"x"))
    await objects.delete_prefix("t/d1/")
    assert await keys(objects) == ["t/d10/v/raw"]


async def test_only_what_is_old_enough_is_listed_as_old(objects):
    await objects.put("in/1", content(b"x"))
    assert await objects.list_older("in/", timedelta(hours=1)) == []
    assert await objects.list_older("in/", NOW) == ["in/1"]


async def test_the_staging_file_of_a_killed_upload_is_removed_when_it_is_old(tmp_path):
    objects = ObstoreObjectStore.connect(f"file://{tmp_path}")
    left, fresh = tmp_path / "incoming/t/d/v#1", tmp_path / "incoming/t/d/w#1"
    left.parent.mkdir(parents=True)
    left.touch()
    fresh.touch()
    os.utime(left, (time.time() - 7200, time.time() - 7200))
    assert await objects.remove_staging("incoming/", timedelta(hours=1)) == 1
    assert (left.exists(), fresh.exists()) == (False, True)


async def test_a_store_that_does_not_answer_is_unavailable(tmp_path, logs):
    objects = ObstoreObjectStore(
        obstore.store.S3Store(
            "bucket",
            endpoint="http://127.0.0.1:9",
            access_key_id="x",
            secret_access_key="x",
            client_options={"allow_http": True, "connect_timeout": "1s"},
            retry_config={"max_retries": 0},
        )
    )
    for call in (objects.ping(), read(objects, "x"), objects.delete(["x"]), objects.put("x", content(b"x"))):
        with pytest.raises(AppError) as caught:
            await call
        assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
        assert logs[-1]["event"] == "object store failed"
        assert "Error" in logs[-1]["error"]
    assert await objects.remove_staging("in/", NOW) == 0


async def test_ping_names_the_kind_of_store(objects):
    assert await objects.ping() in {"LocalStore", "MemoryStore"}


class FakeRows:
    """The one question that discarding asks of a DocumentStore."""

    def __init__(self, *committed):
        self.committed = committed
        self.away = False

    async def has_version(self, tenant_id, version_id):
        if self.away:
            raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "postgresql")
        return version_id in self.committed


def place():
    return Placement(str(uuid4()), str(uuid4()), str(uuid4()))


async def test_the_sweep_keeps_the_file_of_a_commit_and_removes_that_of_none(memory_objects, monkeypatch):
    monkeypatch.setattr("ingestion.pipeline.discard.ABANDONED_AFTER", NOW)
    committed, lost = place(), place()
    for placement in (committed, lost):
        await memory_objects.put(placement.incoming_key, content(b"x"))
        await memory_objects.copy(placement.incoming_key, placement.raw_key)
    await UploadDiscarder(memory_objects, FakeRows(committed.version_id)).sweep()
    assert await keys(memory_objects) == [committed.raw_key]


async def test_what_cannot_be_decided_now_is_decided_soon(memory_objects, monkeypatch):
    monkeypatch.setattr("ingestion.pipeline.discard.ASK_AGAIN_AFTER", (0.01,) * 1000)
    committed, lost = place(), place()
    for placement in (committed, lost):
        await memory_objects.put(placement.incoming_key, content(b"x"))
        await memory_objects.copy(placement.incoming_key, placement.raw_key)
    rows = FakeRows(committed.version_id)
    rows.away = True
    discarder = UploadDiscarder(memory_objects, rows)
    for placement in (committed, lost):
        await discarder.discard_in_peace([placement])
    assert len(await keys(memory_objects)) == 4
    rows.away = False
    async with asyncio.timeout(5):
        while discarder._running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await keys(memory_objects) == [committed.raw_key]


async def test_what_waits_to_be_decided_is_bounded_in_number_and_time(memory_objects, monkeypatch):
    monkeypatch.setattr("ingestion.pipeline.discard.MAX_UNDECIDED", 3)
    monkeypatch.setattr("ingestion.pipeline.discard.ASK_AGAIN_AFTER", (0.05,) * 3)
    rows = FakeRows()
    rows.away = True
    discarder = UploadDiscarder(memory_objects, rows)
    for _ in range(10):
        await discarder.discard_in_peace([place()])
    await asyncio.sleep(0)
    assert len(discarder._running) == 3
    async with asyncio.timeout(5):
        while discarder._running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_caller_who_leaves_after_the_commit_leaves_no_temporary_object(memory_objects, monkeypatch):
    delete, begun, go_on = memory_objects.delete, asyncio.Event(), asyncio.Event()

    async def delete_late(names):
        begun.set()
        await go_on.wait()
        await delete(names)

    monkeypatch.setattr(memory_objects, "delete", delete_late)
    committed = place()
    await memory_objects.put(committed.incoming_key, content(b"x"))
    discarder = UploadDiscarder(memory_objects, FakeRows(committed.version_id))
    forgetting = asyncio.ensure_future(discarder.forget([committed]))
    await begun.wait()
    forgetting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forgetting
    go_on.set()
    await asyncio.gather(*discarder._running)
    assert await keys(memory_objects) == []


async def test_an_answer_is_given_though_temporary_objects_cannot_be_removed():
    class Away:
        async def delete(self, keys):
            raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "object store")

    await UploadDiscarder(Away(), FakeRows()).forget([Placement("t", "d", "v")])


STRAYS = ("incoming/stray", "incoming/a/b", "incoming/a/b/c", "incoming/a/b/c/d")


@pytest.mark.parametrize("stray", STRAYS)
async def test_the_sweep_passes_over_what_no_upload_left(memory_objects, monkeypatch, logs, stray):
    monkeypatch.setattr("ingestion.pipeline.discard.ABANDONED_AFTER", NOW)
    lost = place()
    await memory_objects.put(lost.incoming_key, content(b"x"))
    await memory_objects.put(stray, content(b"x"))
    await UploadDiscarder(memory_objects, RowsThatWantIds()).sweep()
    assert await keys(memory_objects) == [stray]
    assert [event["key"] for event in logs if event["event"] == "not swept"] == [stray]


class RowsThatWantIds(FakeRows):
    """Like PostgreSQL, which refuses what is no UUID."""

    async def has_version(self, tenant_id, version_id):
        for each in (tenant_id, version_id):
            UUID(each)
        return await super().has_version(tenant_id, version_id)


async def test_a_copy_is_forced_to_the_disk_with_every_folder_above_it(tmp_path, monkeypatch):
    forced, fsync = [], os.fsync

    def watched(handle):
        forced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    objects, root = ObstoreObjectStore.connect(f"file://{tmp_path}/objects"), tmp_path / "objects"
    await objects.put("incoming/t/d/v", content(b"text"))
    await objects.copy("incoming/t/d/v", "t/d/v/raw")
    expected = [root / "t/d/v/raw", root / "t/d/v", root / "t/d", root / "t", root]
    assert forced == [str(path) for path in expected]


async def test_a_download_that_takes_too_long_is_an_outage(objects, tmp_path, monkeypatch):
    monkeypatch.setattr("ingestion.stores.objects.TRANSFER_SECONDS", 0.05)
    closed = asyncio.Event()

    async def slowly(key, frame_bytes):
        try:
            yield b"x"
            await asyncio.sleep(60)
        finally:
            closed.set()

    monkeypatch.setattr(objects, "read", slowly)
    with pytest.raises(AppError) as caught:
        await objects.download("a", tmp_path / "copy")
    assert caught.value.code is Code.UNAVAILABLE
    assert closed.is_set()


async def test_a_full_disk_is_told_from_an_outage_and_leaves_no_half_object(small_disk, disk_tools):
    fill, clear = disk_tools
    objects = ObstoreObjectStore.connect(f"file://{small_disk}")
    for big in (True, False):
        if not big:
            fill(small_disk)
        with pytest.raises(AppError) as caught:
            await objects.put("a/b", content(*[bytes(1_000_000)] * (8 if big else 1)))
        assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "STORAGE_FULL")
    clear(small_disk)
    async with asyncio.timeout(5):
        while any(path.is_file() for path in small_disk.rglob("*")):  # noqa: ASYNC110 - obstore cleans up in its threads
            await asyncio.sleep(0.02)
    await objects.put("a/b", content(b"fits"))
    assert await read(objects, "a/b") == [b"fits"]
