"""One call on each of the three transports, with one kind of outcome."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import grpc
from google.api import annotations_pb2, httpbody_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import docuchat
from docuchat.ingestion.v1 import document_service_pb2
from tests.http_client import HttpClient, Reply
from tests.web_client import WebClient

CALL_SECONDS = 30
FRAME_BYTES = 256 * 1024
CODES = {code.value[0]: code.name for code in grpc.StatusCode}
STUBS = Path(docuchat.__path__[0])
FILES = [
    import_module(".".join(path.relative_to(STUBS.parent).with_suffix("").parts))
    for path in sorted(STUBS.rglob("*_service_pb2.py"))
]


@dataclass(frozen=True)
class Outcome:
    """What a call came to: a canonical code's name, and either messages as JSON or why there are none."""

    code: str
    messages: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    message: str = ""
    http_status: int = 0


class Transport(Protocol):
    """A way to call the gateway. `method` is package.Service.Method, `request` the JSON of its message."""

    name: str

    def call(self, method: str, request: dict[str, Any], token: str = "") -> Outcome: ...

    def upload(self, content: bytes, filename: str, token: str = "", **fields: str) -> Outcome: ...


def all_methods() -> Iterator[MethodDescriptor]:
    """Yields every method of every service."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def find_method(name: str) -> MethodDescriptor:
    return next(method for method in all_methods() if method.full_name == name)


@dataclass(frozen=True)
class JsonTransport:
    """HTTP with JSON, by the path in the method's google.api.http option."""

    port: int
    name: str = "http"

    def call(self, method: str, request: dict[str, Any], token: str = "") -> Outcome:
        descriptor = find_method(method)
        rule = descriptor.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        names = re.findall(r"\{([a-z_]+)\}", getattr(rule, verb))
        path = re.sub(r"\{([a-z_]+)\}", lambda found: str(request.get(found[1], "")), getattr(rule, verb))
        rest = {name: value for name, value in request.items() if name not in names}
        client = HttpClient(self.port, token)
        body, headers = b"", {}
        if rule.body:
            # One field of the message may be all of the body, the others then stand in the query.
            sent = rest if rule.body == "*" else rest.pop(rule.body, {})
            body, headers = json.dumps(sent).encode(), {"content-type": "application/json"}
        query = f"?{urlencode(rest, doseq=True)}" if rest and rule.body != "*" else ""
        return read_reply(client.send(verb.upper(), path + query, body, headers), streamed=descriptor.server_streaming)

    def upload(self, content: bytes, filename: str, token: str = "", **fields: str) -> Outcome:
        return read_reply(HttpClient(self.port, token).upload(content, filename, **fields))


def read_reply(reply: Reply, *, streamed: bool = False) -> Outcome:
    """Returns the outcome of an HTTP answer; a file's bytes are no message."""
    if reply.status == 200:
        kind = reply.headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            return Outcome("OK", tuple(reply.events), http_status=200)
        return Outcome("OK", (reply.json,) if kind.startswith("application/json") else (), http_status=200)
    error = reply.json
    return Outcome(CODES[error["code"]], (), reply.reason, error["message"], reply.status)


@dataclass(frozen=True)
class StubTransport:
    """gRPC with the generated Python messages."""

    port: int
    name: str = "grpc"

    def call(self, method: str, request: dict[str, Any], token: str = "") -> Outcome:
        descriptor = find_method(method)
        message = ParseDict(request, GetMessageClass(descriptor.input_type)())
        return self._send(descriptor, message, token)

    def upload(self, content: bytes, filename: str, token: str = "", **fields: str) -> Outcome:
        descriptor = find_method("docuchat.ingestion.v1.DocumentService.UploadDocuments")
        return self._send(descriptor, make_frames(content, filename, **fields), token)

    def _send(self, descriptor: MethodDescriptor, request: object, token: str) -> Outcome:
        sent, received = descriptor.client_streaming, descriptor.server_streaming
        shape = f"{'stream' if sent else 'unary'}_{'stream' if received else 'unary'}"
        metadata = [("authorization", f"Bearer {token}")] if token else []
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            send = getattr(channel, shape)(
                f"/{descriptor.containing_service.full_name}/{descriptor.name}",
                request_serializer=GetMessageClass(descriptor.input_type).SerializeToString,
                response_deserializer=GetMessageClass(descriptor.output_type).FromString,
            )
            try:
                answer = send(request, timeout=CALL_SECONDS, metadata=metadata)
                found = list(answer) if descriptor.server_streaming else [answer]
            except grpc.RpcError as error:
                return read_rpc_error(error)
        return Outcome("OK", tuple(to_json(message) for message in found))


def make_frames(content: bytes, filename: str, **fields: str) -> Iterator[document_service_pb2.UploadDocumentsRequest]:
    """Yields the frames of a raw upload; `fields` are of the first."""
    yield document_service_pb2.UploadDocumentsRequest(filename=filename, file=httpbody_pb2.HttpBody(), **fields)
    for start in range(0, len(content), FRAME_BYTES):
        piece = httpbody_pb2.HttpBody(data=content[start : start + FRAME_BYTES])
        yield document_service_pb2.UploadDocumentsRequest(file=piece)


def to_json(message: Any) -> dict[str, Any]:
    """Returns a message as the gateway prints it."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def read_rpc_error(error: Any) -> Outcome:
    """Returns the outcome of a failed gRPC call."""
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return Outcome(error.code().name, (), info.reason, error.details())


@dataclass(frozen=True)
class WebTransport:
    """gRPC-Web with connect-web. It has no client streams: like a browser it uploads by HTTP."""

    port: int
    client: WebClient
    name: str = "grpc-web"

    def call(self, method: str, request: dict[str, Any], token: str = "") -> Outcome:
        found = self.client.call(method, request, token)
        return Outcome(found["code"], tuple(found["messages"]), found["reason"], found["message"])

    def upload(self, content: bytes, filename: str, token: str = "", **fields: str) -> Outcome:
        return JsonTransport(self.port).upload(content, filename, token, **fields)
