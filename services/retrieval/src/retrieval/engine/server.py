"""The engine process: the embedded vector database behind a unix socket."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from docuchat.retrieval.v1.engine_service_pb2_grpc import add_EngineServiceServicer_to_server
from retrieval.config import EngineSettings
from retrieval.engine.catalog import Catalog
from retrieval.engine.servicer import EngineServicer
from servicekit.rpc.interceptor import LayeredInterceptor
from servicekit.rpc.layers import Layers
from servicekit.rpc.server import SERVER_OPTIONS, RpcServer, run_until_stopped
from servicekit.telemetry import configure_telemetry, flush_telemetry, get_logger

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CONCURRENT_RPCS = 256
DRAIN_SECONDS = 5.0
FOLDER = "engine"


class EngineBusy(Exception):
    """Raised when another engine process works on the same folder."""


async def run_engine(settings: EngineSettings) -> None:
    """Serves until SIGTERM or SIGINT, then drains, flushes and closes. Raises EngineBusy."""
    configure_telemetry("engine", settings.version, settings.log_level)
    folder = settings.data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(folder):
        catalog = Catalog(folder, compact_after_seconds=settings.engine_compact_after_seconds)
        server = build_engine(catalog)
        await start_engine(server, settings.engine_target)
        get_logger("engine").info("serving", target=settings.engine_target)
        try:
            await run_until_stopped([catalog.flush_regularly, catalog.compact_regularly])
        finally:
            await server.stop(DRAIN_SECONDS)
            await catalog.close()
            flush_telemetry()


def build_engine(catalog: Catalog) -> RpcServer:
    """Makes the server. No call is authenticated: whoever can open the socket is the user the engine runs as."""
    server = grpc.aio.server(
        interceptors=[LayeredInterceptor(Layers("retrieval", verifier=None))],
        options=tuple({**dict(SERVER_OPTIONS), "grpc.max_receive_message_length": MAX_MESSAGE_BYTES}.items()),
        maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
    )
    wrapped = RpcServer(server, with_reflection=False)
    add_EngineServiceServicer_to_server(EngineServicer(catalog), wrapped.grpc)
    return wrapped


async def start_engine(server: RpcServer, target: str) -> None:
    """Listens on a socket with mode 0600, in a folder that is made with 0700. Raises ValueError for other targets."""
    if not target.startswith("unix:"):
        raise ValueError(
            f"the engine listens on unix:/path only, not on {target}: its socket's mode is its access check"
        )
    socket = Path(target.removeprefix("unix:"))
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _private_files():
        await server.start(target)
    await server.set_serving(serving=True)


@contextmanager
def _private_files() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EngineBusy(f"another engine process works in {folder}: stop it first") from error
        yield
