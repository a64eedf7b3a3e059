"""Ways to ask a process whether it works."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 1.0
NO_ANSWER = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# The beginning of every HTTP/2 connection, which the other side begins with the same kind of frame (RFC 9113, 3.4).
HTTP2_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HTTP2_SETTINGS
CHANNEL_OPTIONS = (
    # A proxy set for the user's other work must not come between us and our own processes.
    ("grpc.enable_http_proxy", 0),
    # Channels to one target share their connection and its growing pauses between attempts; a probe wants to know now.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class GrpcProbe:
    """Asks grpc.health.v1 for the whole server (service "")."""

    target: str

    async def is_ready(self) -> bool:
        """Tells whether it says SERVING."""
        try:
            answer = await self._check()
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def is_alive(self) -> bool:
        """Tells whether it says anything; a refusal is an answer."""
        try:
            await self._check()
        except grpc.aio.AioRpcError as error:
            return error.code() not in NO_ANSWER
        return True

    async def _check(self) -> health_pb2.HealthCheckResponse:
        async with grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            return await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)


@dataclass(frozen=True)
class PostgresProbe:
    """Connects and asks for nothing."""

    dsn: str

    async def is_ready(self) -> bool:
        """Tells whether PostgreSQL accepts connections."""
        try:
            await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def is_alive(self) -> bool:
        """Tells whether PostgreSQL says anything; that it starts, or has no connection left, is an answer."""
        try:
            await self._connect()
        except asyncpg.PostgresError:
            return True
        except (OSError, TimeoutError, asyncpg.InterfaceError):
            return False
        return True

    async def _connect(self) -> None:
        connection = await asyncpg.connect(self.dsn, timeout=SECONDS)
        await connection.close(timeout=SECONDS)


@dataclass(frozen=True)
class HeartbeatProbe:
    """Looks at a file in which a process without a port writes its pid every second while it lives."""

    path: Path
    longest_silence: float = 5.0
    """Seconds."""

    async def is_ready(self) -> bool:
        """Tells whether a process of ours, and not the one before it, has written it lately."""
        try:
            holder, written = self.path.read_text().strip(), self.path.stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() - written < self.longest_silence and holder.isdecimal() and _is_child(int(holder))

    async def is_alive(self) -> bool:
        """Tells the same: the file says no more."""
        return await self.is_ready()


@dataclass(frozen=True)
class GatewayProbe:
    """Asks the gateway's ``GET /health``, and so every service behind it; or the gateway alone."""

    port: int

    async def is_ready(self) -> bool:
        """Tells whether the answer is SERVING."""
        try:
            answer = await asyncio.wait_for(self._get_health(), SECONDS)
        except (OSError, TimeoutError):
            return False
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200") and json.loads(body)["status"] == "SERVING"

    async def is_alive(self) -> bool:
        """Tells whether it greets a connection: unlike a request, that asks no service and leaves no line in a log."""
        try:
            answer = await asyncio.wait_for(self._greet(), SECONDS)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        return answer[3:4] == HTTP2_SETTINGS[3:4]

    async def _get_health(self) -> bytes:
        async with _connect(self.port) as (reader, writer):
            writer.write(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            return await reader.read()

    async def _greet(self) -> bytes:
        async with _connect(self.port) as (reader, writer):
            writer.write(HTTP2_PREFACE)
            return await reader.readexactly(len(HTTP2_SETTINGS))


@asynccontextmanager
async def _connect(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


def _is_child(pid: int) -> bool:
    """Tells whether this process started that one, and it still runs."""
    try:
        process = psutil.Process(pid)
        return process.ppid() == os.getpid() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
