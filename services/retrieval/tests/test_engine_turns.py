"""Whose turn it is in the engine, and what it remembers between two calls."""

import asyncio
import json
import threading
import uuid

import pytest_asyncio

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from retrieval.engine.catalog import Catalog

PREPARE = engine_pb2.PrepareCollectionRequest(collection="c", dimensions=2, keyword_keys=["t"], tenant_key="t")
ALL = engine_pb2.EngineFilter(must=[engine_pb2.EngineCondition(key="t", any_of=["x"])])
POINT = str(uuid.uuid4())


@pytest_asyncio.fixture
async def catalog(tmp_path):
    made = Catalog(tmp_path / "engine")
    await made.prepare(PREPARE)
    yield made
    await made.close()


async def store(catalog, payload, point_id=POINT):
    sparse = engine_pb2.EngineSparseVector(indices=[1], values=[1.0])
    point = engine_pb2.EnginePoint(point_id=point_id, dense=[1.0, 0.0], sparse=sparse, payload=payload)
    request = engine_pb2.UpsertPointsRequest(collection="c", points=[point])
    await catalog.update("c", lambda collection: collection.upsert(request))


async def match(catalog, whole=1):
    request = engine_pb2.MatchPointsRequest(
        collection="c", filter=ALL, corpus=ALL, dense=[1.0, 0.0], limit=5, payload_keys=["n"], whole_count=whole
    )
    found = await catalog.look("c", lambda collection: collection.match(request))
    return [json.loads(one.payload) for one in found.dense]


async def test_a_look_needs_no_thread_where_nothing_else_is_under_way(catalog):
    assert await catalog.look("c", lambda _: threading.current_thread()) is threading.current_thread()


async def test_a_look_waits_for_its_turn_while_something_else_is_under_way(catalog):
    begun, may_end, order = threading.Event(), threading.Event(), []

    def write(_):
        begun.set()
        may_end.wait(10)
        order.append("write")

    writing = asyncio.create_task(catalog.update("c", write))
    await asyncio.to_thread(begun.wait, 10)
    looking = asyncio.create_task(catalog.look("c", lambda _: order.append("look")))
    await asyncio.sleep(0)
    assert not looking.done()
    may_end.set()
    await asyncio.gather(writing, looking)
    assert order == ["write", "look"]


async def test_a_call_that_is_cancelled_while_it_runs_keeps_its_turn(catalog):
    begun, may_end = threading.Event(), threading.Event()

    def write(_):
        begun.set()
        may_end.wait(10)

    writing = asyncio.create_task(catalog.update("c", write))
    await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    looking = asyncio.create_task(catalog.look("c", lambda _: may_end.is_set()))
    await asyncio.sleep(0)
    may_end.set()
    assert await looking


async def test_a_shard_has_no_more_threads_than_segments(catalog, tmp_path):
    collection = await catalog.use("c", lambda collection: collection)
    config = json.loads((tmp_path / "engine" / "c" / collection.manifest.shard / "edge_config.json").read_text())
    assert config["max_search_threads"] == 1


async def test_what_is_asked_for_again_is_not_read_again(catalog, monkeypatch):
    await store(catalog, b'{"t": "x", "n": 1}')
    first = [await match(catalog), await match(catalog, whole=0)]
    collection = await catalog.use("c", lambda collection: collection)
    monkeypatch.setattr(collection, "_retrieve", None)
    assert [await match(catalog), await match(catalog, whole=0)] == first == [[{"t": "x", "n": 1}], [{"n": 1}]]


async def test_what_is_written_is_read_anew(catalog):
    await store(catalog, b'{"t": "x", "n": 1}')
    await match(catalog)
    await store(catalog, b'{"t": "x", "n": 2}')
    assert [await match(catalog, whole=0), await match(catalog)] == [[{"n": 2}], [{"t": "x", "n": 2}]]
    gone = engine_pb2.DeletePointsRequest(collection="c", filter=ALL)
    await catalog.update("c", lambda collection: collection.delete(gone))
    request = engine_pb2.GetPointsRequest(collection="c", point_ids=[POINT])
    assert not (await catalog.look("c", lambda collection: collection.get(request))).points
