"""The server every service runs in: layers, health, reflection and an orderly stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from docuchat.common.v1.status_service_pb2_grpc import add_StatusServiceServicer_to_server
from servicekit.config import ServiceSettings
from servicekit.errors import AppError
from servicekit.rpc.access import require_access_options
from servicekit.rpc.call import find_service
from servicekit.rpc.health import Health
from servicekit.rpc.interceptor import LayeredInterceptor
from servicekit.rpc.layers import Layers
from servicekit.rpc.limit import Places, Shares
from servicekit.rpc.status_service import Check, StatusServicer
from servicekit.rpc.trust import trust_auth
from servicekit.telemetry import configure_telemetry, flush_telemetry, get_logger
from servicekit.tokens import TokenVerifier

MAX_REQUEST_BYTES = 8 * 1024 * 1024
# Over the gateway's 32 KiB, so that whoever sends too much reads our sentence and not gRPC's list of the headers.
MAX_METADATA_BYTES = 64 * 1024
MAX_PENDING_REQUESTS = 10_000
HEALTH_INTERVAL_SECONDS = 2
STARTING_INTERVAL_SECONDS = 0.2
SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # Beyond 1,000 calls that wait to be begun gRPC cancels some without a word; our limit answers them all.
    ("grpc.server.max_pending_requests", MAX_PENDING_REQUESTS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_REQUESTS),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class RpcServer:
    """A grpc.aio server that knows which methods it was given. Pass `.grpc` to add_XServicer_to_server."""

    def __init__(self, server: grpc.aio.Server, *, with_reflection: bool) -> None:
        self._server = server
        self._with_reflection = with_reflection
        self._services: set[str] = set()
        self.health = Health()

    @property
    def grpc(self) -> grpc.aio.Server:
        """What servicers are added to."""
        return cast("grpc.aio.Server", self)

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Passes handlers on and notes their service (grpc calls this)."""
        self._services.update(handler.service_name() for handler in handlers)
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:  # noqa: ANN401
        """Passes handlers on (grpc calls this)."""
        self._server.add_registered_method_handlers(service_name, method_handlers)

    async def start(self, listen: str) -> str:
        """Starts on host:port (port 0: a free one) or unix:/path; returns the address.

        Raises MethodWithoutAccess, MethodWithoutCallers or MethodWithoutScope if a method does not say who may call it.
        """
        require_access_options(self._methods())
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        if self._with_reflection:
            names = (*sorted(self._services), health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        port = self._server.add_insecure_port(listen)
        await self._server.start()
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def set_serving(self, *, serving: bool) -> None:
        """Says through grpc.health.v1 whether this process takes calls."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self.health.set("", state)

    async def stop(self, grace: float, *, notice: float = 0) -> None:
        """Says that it stops, takes calls for `notice` seconds more, gives running ones `grace` seconds to finish."""
        await self.health.enter_graceful_shutdown()
        # Whoever balances load looks every now and then; until it has looked, a refusal would be an error.
        await asyncio.sleep(notice)
        self.health.let_go()
        await self._server.stop(grace)

    def _methods(self) -> list[str]:
        return [
            f"/{service}/{method}"
            for service in sorted(self._services)
            for method in find_service(service).methods_by_name
        ]


def build_server(
    *,
    name: str,
    verifier: TokenVerifier,
    reflection: bool = False,
    max_concurrent_rpcs: int = 1000,
    per_user: int = 100,
    per_tenant: int = 400,
) -> RpcServer:
    """Makes a server whose calls pass observation, errors, limit, deadline, access, share and validation."""
    layers = Layers(name, verifier, Places(max_concurrent_rpcs), Shares(per_user, per_tenant))
    server = grpc.aio.server(
        interceptors=[LayeredInterceptor(layers)],
        options=SERVER_OPTIONS,
        # gRPC's own limit refuses without a reason; it is there for what ours would be too late for.
        maximum_concurrent_rpcs=2 * max_concurrent_rpcs,
    )
    return RpcServer(server, with_reflection=reflection)


async def run_service(  # noqa: PLR0913 - what a service is made of
    settings: ServiceSettings,
    *,
    name: str,
    add_servicers: Callable[[grpc.aio.Server], None],
    checks: Mapping[str, Check],
    companions: Mapping[str, Check] | None = None,
    peers: Mapping[str, grpc.aio.Channel] | None = None,
    verifier: TokenVerifier | None = None,
    background: Sequence[Callable[[], Awaitable[None]]] = (),
    on_stop: Sequence[Callable[[], None]] = (),
) -> None:
    """Serves until SIGTERM or SIGINT, then drains: health first, then calls, then background work.

    `checks` are what the service cannot work without, `companions` what it
    reports beside itself. `on_stop` lets go of streams that would otherwise
    last as long as the process. A background task that ends or fails ends the
    service, so that whoever supervises the process starts it afresh.
    """
    configure_telemetry(name, settings.version, settings.log_level)
    async with AsyncExitStack() as stack:
        if verifier is None:
            trust = await stack.enter_async_context(trust_auth(settings, name))
            verifier, background = trust.verifier, [*background, trust.follow]
        server = build_server(
            name=name,
            verifier=verifier,
            reflection=settings.reflection,
            max_concurrent_rpcs=settings.max_concurrent_rpcs,
            per_user=settings.max_concurrent_rpcs_per_user,
            per_tenant=settings.max_concurrent_rpcs_per_tenant,
        )
        add_servicers(server.grpc)
        status = StatusServicer(name, settings.version, checks, peers or {}, companions=companions, verifier=verifier)
        add_StatusServiceServicer_to_server(status, server.grpc)
        address = await server.start(settings.listen)
        get_logger("server").info("serving", address=address)

        async def drain() -> None:
            get_logger("server").info("draining")
            for let_go in (status.leave, *on_stop):
                let_go()
            await server.stop(settings.drain_seconds, notice=settings.stop_notice_seconds)

        try:
            await run_until_stopped([lambda: watch_health(server, status), *background], drain)
        finally:
            flush_telemetry()


async def watch_health(server: RpcServer, status: StatusServicer) -> None:
    """Keeps grpc.health.v1 in step with this service's own dependencies; looks often until they first answer."""
    interval = STARTING_INTERVAL_SECONDS
    while True:
        try:
            await status.require_health()
        except AppError:
            await server.set_serving(serving=False)
        else:
            interval = HEALTH_INTERVAL_SECONDS
            await server.set_serving(serving=True)
        await asyncio.sleep(interval)


async def drain_nothing() -> None:
    """Lets a process stop at once."""


async def run_until_stopped(
    work: Sequence[Callable[[], Awaitable[None]]], drain: Callable[[], Awaitable[None]] = drain_nothing
) -> None:
    """Runs tasks until SIGTERM or SIGINT, or until one of them ends; raises what it raised.

    They go on while `drain` runs, and all of them have ended when this returns.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(start()) for start in work]
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await drain()
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result
