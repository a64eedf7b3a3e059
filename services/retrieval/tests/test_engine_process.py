"""The engine as a process: what it survives, whom it refuses, how it stops."""

import asyncio
import itertools
import os
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from docuchat.retrieval.v1.engine_service_pb2_grpc import EngineServiceStub
from retrieval.engine.catalog import Catalog
from retrieval.engine.server import build_engine, start_engine
from retrieval.errors import IndexUnavailable
from retrieval.model import Chunk, DocumentVersion, Point, Scope, SparseVector
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Deadlines, Generation

GENERATION = Generation("Test/Model v1", 8)
TENANT = str(uuid.uuid4())


class Engine:
    """`python -m retrieval engine` on a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.target = f"unix:{folder}/run/engine.sock"
        self.process = None

    def start(self):
        environment = {**os.environ, "DOCUCHAT_DATA_DIR": str(self.folder), "DOCUCHAT_ENGINE_TARGET": self.target}
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "retrieval", "engine"), env=environment, stderr=errors
            )

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        return self.process.wait(60), (self.folder / "stderr").read_text()


@pytest.fixture
def engine():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        made = Engine(Path(folder))
        made.start()
        yield made
        made.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def lasting_engine():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        made = Engine(Path(folder))
        made.start()
        yield made
        made.stop(signal.SIGKILL)


async def wait_until_serving(engine):
    quickly = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 100))
    async with grpc.aio.insecure_channel(engine.target, options=quickly) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=60, wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@asynccontextmanager
async def connect(target, generation=GENERATION):
    index = EdgeVectorIndex(target, generation, deadlines=Deadlines(read=60))
    yield index
    await index.close()


def make_points(count, version_id=None, text="fox"):
    version = DocumentVersion(TENANT, "d", version_id or str(uuid.uuid4()), "c", "", "f", "t", "en")
    ids = [str(uuid.uuid4()) for _ in range(count)]
    vectors = np.random.default_rng(0).random((count, 8), dtype=np.float32)
    return [
        Point(ids[i], version, Chunk(i, text, 0, len(text), 0, 0), vectors[i], SparseVector((7,), (1.0,)))
        for i in range(count)
    ]


async def test_a_kill_in_the_middle_of_writing_loses_nothing_that_was_acknowledged(engine):
    acknowledged = []
    enough = asyncio.Event()

    async def write(index):
        for number in itertools.count(1):
            points = make_points(40)
            await index.upsert(points)
            acknowledged.append(points[0].version.version_id)
            if number == 40:
                enough.set()

    for _ in range(2):
        async with connect(engine.target) as index:
            writing = asyncio.create_task(write(index))
            await enough.wait()
            enough.clear()
            engine.stop(signal.SIGKILL)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        engine.start()
    async with connect(engine.target) as index:
        counts = [await index.count(TENANT, version_id) for version_id in acknowledged]
        assert counts == [40] * len(acknowledged)
        found = await index.match(Scope(TENANT, "u"), make_points(1)[0].dense, SparseVector((7,), (1.0,)), 5)
        assert (len(found.dense), len(found.sparse)) == (5, 5)


async def test_sigterm_stops_in_order_and_the_next_start_finds_everything(engine):
    async with connect(engine.target) as index:
        await index.upsert(make_points(100, version_id="v"))
    code, errors = engine.stop()
    assert code == 0, errors
    engine.start()
    async with connect(engine.target) as index:
        assert await index.count(TENANT, "v") == 100


async def test_a_call_waits_out_a_restart(engine):
    async with connect(engine.target) as index:
        await index.upsert(make_points(3, version_id="v"))
        engine.stop(signal.SIGKILL)
        counting = asyncio.create_task(index.count(TENANT, "v"))
        await asyncio.sleep(0)  # it has begun, while nobody listens
        engine.start()
        assert await counting == 3


async def test_a_second_engine_on_the_same_folder_does_not_start(lasting_engine):
    await wait_until_serving(lasting_engine)
    second = Engine(lasting_engine.folder)
    second.target = f"unix:{lasting_engine.folder}/run/second.sock"
    second.start()
    code, errors = second.wait()
    assert code != 0
    assert "another engine process works in" in errors
    async with connect(lasting_engine.target) as index:
        assert await index.ping()


async def test_only_its_own_user_can_reach_the_engine(lasting_engine):
    engine = lasting_engine
    await wait_until_serving(engine)
    socket = engine.folder / "run" / "engine.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((engine.folder / "engine").stat().st_mode) == 0o700


async def test_an_engine_that_hangs_is_unavailable_within_the_deadline(lasting_engine):
    engine = lasting_engine
    index = EdgeVectorIndex(engine.target, GENERATION, deadlines=Deadlines(read=0.5))
    await index.prepare()
    engine.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(IndexUnavailable):
            await asyncio.wait_for(index.count(TENANT, "v"), 2)
    finally:
        engine.process.send_signal(signal.SIGCONT)
    await index.close()


@asynccontextmanager
async def in_process(folder):
    catalog = Catalog(Path(folder) / "data")
    server = build_engine(catalog)
    target = f"unix:{folder}/run/engine.sock"
    await start_engine(server, target)
    async with grpc.aio.insecure_channel(target) as channel:
        yield EngineServiceStub(channel), target
    await server.stop(0)
    await catalog.close()


@pytest.fixture
async def stub():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        async with in_process(folder) as (made, _):
            yield made


def prepare_request(collection="c", dimensions=8):
    return engine_pb2.PrepareCollectionRequest(
        collection=collection, dimensions=dimensions, keyword_keys=["t"], tenant_key="t"
    )


def keep(key="t", *values):
    return engine_pb2.EngineFilter(must=[engine_pb2.EngineCondition(key=key, any_of=values)])


def proto_point(dimensions=8):
    sparse = engine_pb2.EngineSparseVector(indices=[1], values=[1.0])
    return engine_pb2.EnginePoint(
        point_id=str(uuid.uuid4()), dense=[1.0] * dimensions, sparse=sparse, payload=b'{"t": "x", "n": [1, null]}'
    )


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_an_unknown_collection_is_not_found(stub):
    request = engine_pb2.CountPointsRequest(collection="nothing", filter=keep("t", "x"))
    assert await refused(stub.CountPoints(request)) is grpc.StatusCode.NOT_FOUND


async def test_vectors_of_another_length_are_refused_and_leave_nothing_in_the_log():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        async with in_process(folder) as (stub, _):
            await stub.PrepareCollection(prepare_request())
            mixed = engine_pb2.UpsertPointsRequest(collection="c", points=[proto_point(), proto_point(9)])
            query = engine_pb2.MatchPointsRequest(
                collection="c", filter=keep("t", "x"), corpus=keep("t", "x"), dense=[1.0], limit=1
            )
            for call in (
                stub.PrepareCollection(prepare_request(dimensions=9)),
                stub.UpsertPoints(mixed),
                stub.MatchPoints(query),
            ):
                assert await refused(call) is grpc.StatusCode.FAILED_PRECONDITION
        async with in_process(folder) as (stub, _):
            count = await stub.CountPoints(engine_pb2.CountPointsRequest(collection="c", filter=keep("t", "x")))
            assert count.point_count == 0


async def test_requests_out_of_bounds_are_refused_before_the_database_sees_them(stub):
    await stub.PrepareCollection(prepare_request())
    no_condition = engine_pb2.EngineFilter()
    for call in (
        stub.PrepareCollection(prepare_request(collection="../../etc")),
        stub.PrepareCollection(prepare_request(collection="")),
        stub.PrepareCollection(prepare_request(dimensions=0)),
        stub.DeletePoints(engine_pb2.DeletePointsRequest(collection="c", filter=no_condition)),
        stub.DeletePoints(engine_pb2.DeletePointsRequest(collection="c")),
        stub.CountPoints(engine_pb2.CountPointsRequest(collection="c")),
    ):
        assert await refused(call) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_condition_without_values_is_never_met(stub):
    await stub.PrepareCollection(prepare_request())
    await stub.UpsertPoints(engine_pb2.UpsertPointsRequest(collection="c", points=[proto_point()]))
    for kept, count in ((keep("t", "x"), 1), (keep("t"), 0), (keep("t", ""), 0), (keep("unknown", "x"), 0)):
        answer = await stub.CountPoints(engine_pb2.CountPointsRequest(collection="c", filter=kept))
        assert answer.point_count == count


async def test_two_models_have_two_collections():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        other = Generation("other", 8)
        async with in_process(folder) as (_, target), connect(target) as first, connect(target, other) as second:
            await first.upsert(make_points(2, version_id="v"))
            assert [await index.count(TENANT, "v") for index in (first, second)] == [2, 0]


async def test_a_collection_that_was_half_made_is_made_again():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        rest = Path(folder) / "data" / ".c.part"
        rest.mkdir(parents=True)
        (rest / "collection.json").write_text("{")
        async with in_process(folder) as (stub, _):
            assert (await stub.PrepareCollection(prepare_request())).point_count == 0
        assert not rest.exists()


async def test_the_engine_listens_on_sockets_with_a_file_mode_only(tmp_path):
    server = build_engine(Catalog(tmp_path))
    with pytest.raises(ValueError, match="unix:"):
        await start_engine(server, "127.0.0.1:0")


async def test_what_changed_is_flushed_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.engine.catalog.FLUSH_SECONDS", 0.02)
    catalog = Catalog(tmp_path)
    await catalog.prepare(prepare_request())
    request = engine_pb2.UpsertPointsRequest(collection="c", points=[proto_point()])
    await catalog.use("c", lambda collection: collection.upsert(request))
    assert await catalog.use("c", lambda collection: collection.changed)
    flushing = asyncio.create_task(catalog.flush_regularly())
    async with asyncio.timeout(10):
        while await catalog.use("c", lambda collection: collection.changed):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    flushing.cancel()
    await catalog.close()


async def test_a_flush_that_fails_does_not_end_the_engine(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.engine.catalog.FLUSH_SECONDS", 0.01)
    failures, flushed = [OSError("no space"), RuntimeError("who knows")], asyncio.Event()
    loop = asyncio.get_running_loop()

    def flush(collection):
        if failures:
            raise failures.pop()
        loop.call_soon_threadsafe(flushed.set)

    catalog = Catalog(tmp_path)
    await catalog.prepare(prepare_request())
    monkeypatch.setattr("retrieval.engine.collection.Collection.flush", flush)
    flushing = asyncio.create_task(catalog.flush_regularly())
    waiting = asyncio.create_task(flushed.wait())
    await asyncio.wait([flushing, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert flushed.is_set()
    assert not flushing.done()
    flushing.cancel()
    await catalog.close()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("all-minilm-l6-v2", "chunks-all-minilm-l6-v2-8-v2"),
        ("BAAI/bge m3", "chunks-baai-bge-m3-8-v2"),
        ("../../x", "chunks-x-8-v2"),
        ("m" * 200, f"chunks-{'m' * 60}-8-v2"),
    ],
)
def test_a_collection_is_named_after_model_and_length(model, name):
    assert Generation(model, 8).collection == name
