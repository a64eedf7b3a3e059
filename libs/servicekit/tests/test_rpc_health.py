"""grpc.health.v1 behind the layers."""

import asyncio

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit.rpc.client import open_channel
from servicekit.rpc.server import build_server

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def server(tokens):
    server = build_server(name="chat", verifier=tokens.verifier, max_concurrent_rpcs=2)
    server.address = await server.start("127.0.0.1:0")
    yield server
    await server.stop(0)


async def test_whoever_watches_health_hears_each_change(server):
    async with open_channel(server.address) as channel:
        call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        heard = [(await call.read()).status]
        for serving in (False, True):
            await server.set_serving(serving=serving)
            heard.append((await call.read()).status)
    assert heard == [SERVING, NOT_SERVING, SERVING]


async def test_watchers_take_no_places_and_do_not_keep_a_process_from_stopping(server):
    async with open_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        calls = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(3)]
        assert [(await call.read()).status for call in calls] == [SERVING] * 3
        stopping = asyncio.create_task(server.stop(30, notice=0.3))
        told = [[each.status async for each in call] for call in calls]
        await asyncio.wait_for(stopping, 5)
    assert told == [[NOT_SERVING]] * 3


async def test_a_process_says_that_it_stops_before_it_refuses_calls(server):
    async with open_channel(server.address, retries=False) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        call = stub.Watch(health_pb2.HealthCheckRequest())
        await call.read()
        stopping = asyncio.create_task(server.stop(0, notice=0.5))
        assert (await call.read()).status == NOT_SERVING
        # Whoever has not looked yet is still answered.
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
        assert not stopping.done()
        await stopping
