"""Ways to ask a process whether it works."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 1.0
_CHANNEL_OPTIONS = (
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
        """Tell whether it says SERVING."""
        async with grpc.aio.insecure_channel(self.target, options=_CHANNEL_OPTIONS) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(frozen=True)
class PostgresProbe:
    """Connects and asks for nothing."""

    dsn: str

    async def is_ready(self) -> bool:
        """Tell whether PostgreSQL accepts connections."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close(timeout=_SECONDS)
        return True


@dataclass(frozen=True)
class HeartbeatProbe:
    """Looks at a file that a process without a port touches while it lives."""

    path: Path
    longest_silence: float = 15.0
    """Seconds."""

    async def is_ready(self) -> bool:
        """Tell whether it has been touched lately."""
        try:
            touched = self.path.stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() - touched < self.longest_silence


@dataclass(frozen=True)
class HealthProbe:
    """Asks the gateway's ``GET /health``, and so every service behind it."""

    port: int

    async def is_ready(self) -> bool:
        """Tell whether the answer is SERVING."""
        try:
            answer = await asyncio.wait_for(self._get(), _SECONDS)
        except (OSError, TimeoutError):
            return False
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200") and json.loads(body)["status"] == "SERVING"

    async def _get(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            return await reader.read()
        finally:
            writer.close()
