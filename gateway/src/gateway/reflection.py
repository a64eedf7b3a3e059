"""A reflection server that knows every public service, so grpcurl works against the one gateway port.

Each service could reflect only itself; a client that asks the gateway expects the whole.
"""

import asyncio
import signal
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gateway.descriptors import list_public_methods, load_files

METHOD = "ServerReflectionInfo"


def build_reflection_server(services: Sequence[str]) -> grpc.aio.Server:
    """Returns a server that answers reflection, v1 and v1alpha, for the services of these full names."""
    server = grpc.aio.server()
    reflection.enable_server_reflection(services, server)
    server.add_generic_rpc_handlers((_reflection_v1(services),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    return server


def _reflection_v1(services: Sequence[str]) -> grpc.GenericRpcHandler:
    # v1 is v1alpha under another name, message for message; grpcio-reflection ships only the older one.
    servicer = reflection.aio.ReflectionServicer(services)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("grpc.reflection.v1.ServerReflection", {METHOD: handler})


async def serve_reflection(listen: str) -> None:
    """Serves on host:port until SIGTERM or SIGINT."""
    services = sorted({method.service for method in list_public_methods(load_files())})
    server = build_reflection_server(services)
    server.add_insecure_port(listen)
    await server.start()
    await _wait_for_signal()
    await server.stop(grace=1)


async def _wait_for_signal() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
