"""What a local gateway has on top: reflection and health for grpcurl, and spans for a collector."""

import asyncio
import queue
import socket
import subprocess
import sys
import threading
from concurrent import futures

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from gateway.config import Address
from gateway.reflection import build_reflection_server

SERVICES = ("docuchat.auth.v1.AuthService", "docuchat.chat.v1.ChatService")


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.spans = queue.Queue()

    def Export(self, request, context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.put((resource.resource, span))
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture(scope="module")
def collector():
    servicer = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)
    servicer.address = Address("127.0.0.1", server.add_insecure_port("127.0.0.1:0"))
    server.start()
    yield servicer
    server.stop(0).wait()


@pytest.fixture(scope="module")
def reflection_address():
    """The reflection server in a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start():
        server = build_reflection_server(SERVICES)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield Address("127.0.0.1", port)
    asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def local_gateway(run_gateway, collector, reflection_address):
    with run_gateway(reflection=reflection_address, otlp=collector.address) as gateway:
        yield gateway


def reflect(gateway, version, **request):
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    with gateway.channel() as channel:
        call = channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        return next(call(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=10))


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_one_port_reflects_the_services_of_all_processes(local_gateway, version):
    answer = reflect(local_gateway, version, list_services="*")
    assert {service.name for service in answer.list_services_response.service} >= set(SERVICES)
    answer = reflect(local_gateway, version, file_containing_symbol="docuchat.chat.v1.ChatService")
    files = [FileDescriptorProto.FromString(file) for file in answer.file_descriptor_response.file_descriptor_proto]
    assert "docuchat/chat/v1/chat_service.proto" in {file.name for file in files}


def test_health_can_be_asked_over_grpc(local_gateway):
    with local_gateway.channel() as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_gateways_span_continues_the_callers_trace_and_is_the_parent_behind(local_gateway, collector):
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    local_gateway.post_json("/v1/ask", {"question": "a"}, {"traceparent": f"00-{trace_id}-{caller}-01"})
    sent = next(m["traceparent"] for m in reversed(local_gateway.journal.metadata) if trace_id in m["traceparent"])
    spans = {}
    while sent.split("-")[2] not in spans:
        resource, span = collector.spans.get(timeout=15)
        if span.trace_id.hex() == trace_id:
            spans[span.span_id.hex()] = (resource, span)
    resource, span = spans[sent.split("-")[2]]
    names = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert names["service.name"] == "envoy"
    while span.parent_span_id.hex() != caller:
        while span.parent_span_id.hex() not in spans:
            received = collector.spans.get(timeout=15)
            spans[received[1].span_id.hex()] = received
        span = spans[span.parent_span_id.hex()][1]


def test_the_reflection_process_serves_and_ends_on_sigterm():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"DOCUCHAT_LISTEN": f"127.0.0.1:{port}"}
    with subprocess.Popen([sys.executable, "-m", "gateway", "reflection"], env=environment) as process:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=15)
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.terminate()
        assert process.wait(timeout=10) == 0
