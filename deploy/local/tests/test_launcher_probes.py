"""What a probe says of a process that works, one that cannot work now, one that stands still and one that is gone."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from launcher.plan import find_free_ports
from launcher.probes import GatewayProbe, GrpcProbe, HeartbeatProbe, PostgresProbe

SERVER = """
import asyncio, sys
import grpc
from grpc_health.v1 import health, health_pb2_grpc

async def serve():
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(sys.argv[1])
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()

asyncio.run(serve())
"""


@contextmanager
def running(code, *arguments):
    """Run a piece of Python until the block ends; its first line says that it is up."""
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def frozen(process):
    process.send_signal(signal.SIGSTOP)
    yield
    process.send_signal(signal.SIGCONT)


async def test_a_server_that_stands_still_gives_no_sign_of_life():
    target = f"127.0.0.1:{find_free_ports(1)[0]}"
    probe = GrpcProbe(target)
    with running(SERVER, target) as process:
        assert (await probe.is_ready(), await probe.is_alive()) == (True, True)
        async with frozen(process):
            assert (await probe.is_ready(), await probe.is_alive()) == (False, False)
        assert await probe.is_alive()
    assert not await probe.is_alive()


@pytest.mark.parametrize("refusal", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL])
async def test_a_server_that_refuses_or_does_not_serve_now_is_alive(refusal):
    class Refusing(health.aio.HealthServicer):
        async def Check(self, request, context):
            if self.refuses:
                await context.abort(refusal, "not now")
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)

    server, servicer = grpc.aio.server(), Refusing()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    probe = GrpcProbe(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    try:
        for servicer.refuses in (True, False):
            assert (await probe.is_ready(), await probe.is_alive()) == (False, True)
    finally:
        await server.stop(None)


async def test_a_heartbeat_counts_while_it_is_young_and_its_process_runs(tmp_path):
    probe = HeartbeatProbe(tmp_path / "beat", longest_silence=5)
    assert not await probe.is_ready()
    with running("import time; print('up', flush=True); time.sleep(60)") as worker:
        probe.path.write_text(f"{worker.pid}\n")
        assert (await probe.is_ready(), await probe.is_alive()) == (True, True)
        os.utime(probe.path, (1, 1))
        assert (await probe.is_ready(), await probe.is_alive()) == (False, False)
        probe.path.write_text(f"{worker.pid}\n")
        assert await probe.is_ready()
    assert not await probe.is_ready(), "the file of a dead worker is still young"


@pytest.mark.parametrize("content", ["", "1", "no pid", str(os.getpid())], ids=["nobody", "init", "words", "us"])
async def test_the_heartbeat_of_anybody_else_does_not_count(tmp_path, content):
    (tmp_path / "beat").write_text(content)
    assert not await HeartbeatProbe(tmp_path / "beat").is_ready()


async def test_a_gateway_is_alive_when_it_greets_and_ready_when_all_serve():
    async def answer(reader, writer):
        first = await reader.readexactly(3)
        if first == b"PRI":
            writer.write(b"\0\0\6\4\0\0\0\0\0" + bytes(6))
        else:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}")
        writer.close()

    async def be_silent(reader, writer):
        await reader.read()
        writer.close()

    for behaviour, alive in ((answer, True), (be_silent, False)):
        server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
        probe = GatewayProbe(server.sockets[0].getsockname()[1])
        assert (await probe.is_ready(), await probe.is_alive()) == (False, alive)
        server.close()


async def test_what_is_not_there_is_neither_ready_nor_alive(tmp_path):
    port = find_free_ports(1)[0]
    probes = (GrpcProbe(f"127.0.0.1:{port}"), GatewayProbe(port), PostgresProbe(f"postgresql://a:b@127.0.0.1:{port}/c"))
    for probe in (*probes, HeartbeatProbe(tmp_path / "none")):
        assert (await probe.is_ready(), await probe.is_alive()) == (False, False)
