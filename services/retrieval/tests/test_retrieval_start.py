"""Starting `python -m retrieval` before anything it needs is there."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy.engine import make_url

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="start-") as name:
        yield Path(name)


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def run(name, folder, **environment):
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("DOCUCHAT_", "QDRANT_"))}
    settings = {"DOCUCHAT_DATA_DIR": str(folder), "DOCUCHAT_ENGINE_TARGET": f"unix:{folder}/engine.sock"}
    command = (sys.executable, "-m", "retrieval", name)
    with subprocess.Popen(command, env={**usual, **settings, **environment}, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(20)


async def wait_for(stub, status, process):
    async with asyncio.timeout(60):
        while await check(stub) != status:
            assert process.poll() is None
            await asyncio.sleep(0.05)


async def check(stub):
    """Returns what the process says of itself, or None where it does not listen yet."""
    try:
        return (await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)).status
    except grpc.aio.AioRpcError:
        return None


async def test_it_serves_without_engine_and_database_and_recovers_when_they_come(folder, service_database):
    url = make_url((await service_database("retrieval")).url)
    port, database_port = find_port(), find_port()
    here = url.set(host="127.0.0.1", port=database_port, query={})
    listen = f"127.0.0.1:{port}"
    environment = {
        "DOCUCHAT_DATABASE_URL": here.render_as_string(hide_password=False),
        "DOCUCHAT_LISTEN": listen,
        "DOCUCHAT_AUTH_TARGET": f"127.0.0.1:{find_port()}",
        "DOCUCHAT_SERVICE_SECRET": "test-only",
    }
    with run("serve", folder, **environment) as process:
        async with grpc.aio.insecure_channel(listen) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            await wait_for(stub, NOT_SERVING, process)
            with run("engine", folder):
                async with await forward(database_port, url):
                    await wait_for(stub, SERVING, process)


async def forward(port, url):
    """Lets a port of this machine lead to the database."""

    async def connect(reader, writer):
        if url.host and not url.host.startswith("/"):
            there = await asyncio.open_connection(url.host, url.port)
        else:
            there = await asyncio.open_unix_connection(f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}")
        try:
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        finally:
            writer.close()
            there[1].close()

    return await asyncio.start_server(connect, "127.0.0.1", port)


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
