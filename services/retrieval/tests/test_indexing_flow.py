import asyncio
from contextlib import aclosing
from dataclasses import replace
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest

from retrieval.errors import DocumentDeleted, IndexUnavailable, VersionIncomplete
from retrieval.indexing.indexer import Indexer
from retrieval.indexing.read_ahead import read_ahead
from retrieval.model import Chunk, DocumentVersion, SparseVector
from servicekit.errors import StorageFull

VERSION = DocumentVersion(str(uuid4()), str(uuid4()), str(uuid4()), str(uuid4()), "", "a.pdf", "A", "de")


class FakeEmbedder:
    def __init__(self, log):
        self.log = log

    async def embed_passages(self, texts):
        self.log.append(("embed", len(texts)))
        await asyncio.sleep(0)
        return [np.full(2, len(text), dtype=np.float32) for text in texts]


class FakeWeigher:
    def weigh_passage(self, text, language):
        return SparseVector((len(language),), (float(len(text)),))


class FakeIndex:
    def __init__(self, log):
        self.log, self.points, self.failing = log, {}, False

    async def upsert(self, points):
        self.log.append(("upsert", len(points)))
        await asyncio.sleep(0)
        if self.failing:
            raise IndexUnavailable
        self.points |= {point.point_id: point for point in points}

    async def count(self, tenant_id, version_id):
        return sum(point.version.version_id == version_id for point in self.points.values())

    async def flush(self):
        self.log.append(("flush",))
        if self.failing:
            raise StorageFull("the vector index")

    async def delete_document(self, tenant_id, document_id, *, keep_version_id=""):
        self.log.append(("delete", keep_version_id))
        self.points = {key: point for key, point in self.points.items() if point.version.version_id == keep_version_id}


class FakeRegistry:
    def __init__(self, log):
        self.log, self.buried, self.active, self.may_sweep = log, False, None, True

    async def begin_version(self, version):
        await self.check_writable(version.tenant_id, version.document_id)
        self.log.append(("begin", version.version_id))

    async def check_writable(self, tenant_id, document_id):
        if self.buried:
            raise DocumentDeleted

    async def activate_version(self, tenant_id, document_id, version_id):
        self.log.append(("activate", version_id))
        self.active = version_id
        return self.may_sweep

    async def forget_retired_versions(self, tenant_id, document_id):
        self.log.append(("forget", document_id))

    async def bury_document(self, tenant_id, document_id):
        self.log.append(("bury", document_id))
        self.buried = True


@pytest.fixture
def log():
    return []


@pytest.fixture
def indexer(log):
    return Indexer(FakeEmbedder(log), FakeWeigher(), FakeIndex(log), FakeRegistry(log))


def make_chunks(*numbers):
    return [Chunk(number, "x" * (number + 1), number, number + 1, 1, 1) for number in numbers]


async def send(*batches):
    for batch in batches:
        yield batch


async def index(indexer, *batches):
    return [count async for count in indexer.index_chunks(VERSION, send(*batches))]


@pytest.mark.parametrize(
    ("batches", "confirmed"),
    [
        ([], [0]),
        ([make_chunks(0)], [1]),
        ([make_chunks(0, 1), make_chunks(2)], [2, 3]),
        ([make_chunks(2), make_chunks(0, 1), make_chunks(3, 4, 5)], [1, 3, 6]),
    ],
)
async def test_each_batch_is_confirmed_with_all_that_is_durable(indexer, batches, confirmed):
    assert await index(indexer, *batches) == confirmed
    assert len(indexer.index.points) == confirmed[-1]


async def test_a_point_holds_its_chunk_its_vectors_and_a_name_made_of_tenant_version_and_number(indexer):
    await index(indexer, make_chunks(3))
    ((name, point),) = indexer.index.points.items()
    assert name == str(uuid5(UUID(VERSION.tenant_id), f"{VERSION.version_id}/3"))
    assert (point.version, point.chunk) == (VERSION, make_chunks(3)[0])
    assert (point.dense.tolist(), point.sparse) == ([4, 4], SparseVector((2,), (4.0,)))


async def test_chunks_sent_again_are_not_stored_twice(indexer):
    await index(indexer, make_chunks(0, 1))
    assert await index(indexer, make_chunks(1, 2)) == [2]
    assert len(indexer.index.points) == 3


async def test_embedding_and_storing_overlap_in_time(indexer):
    running, together = set(), []

    def watch(name, step):
        async def run(*args):
            running.add(name)
            together.append(len(running))
            await asyncio.sleep(0.01)
            running.discard(name)
            return await step(*args)

        return run

    indexer.embedder.embed_passages = watch("embed", indexer.embedder.embed_passages)
    indexer.index.upsert = watch("upsert", indexer.index.upsert)
    await index(indexer, *(make_chunks(number) for number in range(4)))
    assert max(together) == 2


async def test_a_slow_reader_holds_the_sender_back(indexer):
    taken = []

    async def count_taken():
        for number in range(100):
            taken.append(number)
            yield make_chunks(number)

    async with aclosing(indexer.index_chunks(VERSION, count_taken())) as confirmed:
        await anext(confirmed)
        for _ in range(1000):  # turns of the event loop, in each of which the next batch could be taken
            await asyncio.sleep(0)
        assert len(taken) <= 3


async def test_a_sender_that_waits_for_every_confirmation_is_served(indexer):
    confirmed_once = asyncio.Event()

    async def send_in_step():
        yield make_chunks(0)
        await asyncio.wait_for(confirmed_once.wait(), 5)
        yield make_chunks(1)

    counts = []
    async for count in indexer.index_chunks(VERSION, send_in_step()):
        counts.append(count)
        confirmed_once.set()
    assert counts == [1, 2]


async def test_a_buried_document_takes_no_stream(indexer, log):
    indexer.registry.buried = True
    with pytest.raises(DocumentDeleted):
        await index(indexer, make_chunks(0))
    assert log == []


async def test_a_document_buried_between_two_batches_leaves_no_points(indexer):
    async def bury_in_between():
        yield make_chunks(0)
        yield make_chunks(1)
        indexer.registry.buried = True
        yield make_chunks(2)

    with pytest.raises(DocumentDeleted):
        async for _ in indexer.index_chunks(VERSION, bury_in_between()):
            pass
    assert indexer.index.points == {}


async def test_a_failing_store_ends_the_stream_and_what_was_confirmed_stays(indexer):
    confirmed = []

    async def fail_after_the_first():
        async for count in indexer.index_chunks(VERSION, send(*(make_chunks(number) for number in range(3)))):
            confirmed.append(count)
            indexer.index.failing = True

    with pytest.raises(IndexUnavailable):
        await fail_after_the_first()
    assert confirmed == [1]
    assert len(indexer.index.points) == 1


async def test_a_failing_sender_ends_the_stream_with_its_error(indexer):
    async def fail():
        yield make_chunks(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async for _ in indexer.index_chunks(VERSION, fail()):
            pass


async def test_a_reader_that_goes_leaves_no_task_behind(indexer):
    before = asyncio.all_tasks()
    async with aclosing(indexer.index_chunks(VERSION, send(*(make_chunks(n) for n in range(9))))) as confirmed:
        await anext(confirmed)
    assert asyncio.all_tasks() == before


async def test_reading_ahead_keeps_the_order_and_stops_at_the_end():
    assert [item async for item in read_ahead(send(1, 2, 3))] == [1, 2, 3]
    assert [item async for item in read_ahead(send())] == []


@pytest.mark.parametrize(("stored", "expected"), [(0, 1), (1, 2), (2, 1)])
async def test_a_version_is_activated_only_with_exactly_its_chunks(indexer, stored, expected):
    await index(indexer, make_chunks(*range(stored)) if stored else [])
    with pytest.raises(VersionIncomplete) as raised:
        await activate(indexer, expected)
    assert raised.value.metadata == {"expected": str(expected), "found": str(stored)}
    assert indexer.registry.active is None


async def activate(indexer, chunk_count):
    await indexer.activate_version(VERSION.tenant_id, VERSION.document_id, VERSION.version_id, chunk_count)


async def test_activation_shows_the_version_before_it_removes_the_others(indexer, log):
    await index(indexer, make_chunks(0, 1))
    log.clear()
    await activate(indexer, 2)
    assert indexer.registry.active == VERSION.version_id
    shown = [("flush",), ("activate", VERSION.version_id)]
    assert log == [*shown, ("delete", VERSION.version_id), ("forget", VERSION.document_id)]
    assert len(indexer.index.points) == 2


async def test_activation_removes_nothing_while_a_later_version_is_being_indexed(indexer, log):
    indexer.registry.may_sweep = False
    await index(indexer, make_chunks(0))
    log.clear()
    await activate(indexer, 1)
    assert log == [("flush",), ("activate", VERSION.version_id)]


async def test_nothing_is_shown_that_could_not_be_forced_to_the_disk(indexer):
    await index(indexer, make_chunks(0))
    indexer.index.failing = True
    with pytest.raises(StorageFull):
        await activate(indexer, 1)
    assert indexer.registry.active is None


async def test_another_tenant_that_names_the_same_version_overwrites_nothing(indexer):
    await index(indexer, make_chunks(0))
    other = replace(VERSION, tenant_id=str(uuid4()))
    async for _ in indexer.index_chunks(other, send(make_chunks(0))):
        pass
    assert {point.version.tenant_id for point in indexer.index.points.values()} == {VERSION.tenant_id, other.tenant_id}


async def test_a_buried_document_is_not_activated(indexer):
    indexer.registry.buried = True
    with pytest.raises(DocumentDeleted):
        await activate(indexer, 0)


async def test_deleting_buries_before_it_removes_and_can_be_repeated(indexer, log):
    await index(indexer, make_chunks(0))
    log.clear()
    for _ in range(2):
        await indexer.delete_document(VERSION.tenant_id, VERSION.document_id)
    document = VERSION.document_id
    assert log == [("bury", document), ("delete", ""), ("forget", document)] * 2
    assert indexer.index.points == {}
