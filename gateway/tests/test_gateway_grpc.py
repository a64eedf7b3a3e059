"""gRPC and gRPC-Web callers: the same methods, proper statuses, and no way to what is internal."""

import base64
import time

import grpc
import pytest
from google.api import httpbody_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from docuchat.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from docuchat.chat.v1 import ask_event_pb2, chat_service_pb2, chat_service_pb2_grpc
from docuchat.ingestion.v1 import document_service_pb2, document_service_pb2_grpc
from gateway.descriptors import is_public, list_services, load_files

INTERNAL = [
    f"/{service.full_name}/{method.name}"
    for service in list_services(load_files())
    for method in service.methods
    if not is_public(method)
]


def web_call(gateway, path, request):
    """Send one gRPC-Web request by hand; return the reply, its messages and its trailers."""
    message = request.SerializeToString()
    body = b"\0" + len(message).to_bytes(4, "big") + message
    reply = gateway.send("POST", path, body, {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"})
    messages, trailers, rest = [], {}, reply.body
    while rest:
        size = int.from_bytes(rest[1:5], "big")
        payload, flag, rest = rest[5 : 5 + size], rest[0], rest[5 + size :]
        if flag & 0x80:
            trailers = dict(line.split(":", 1) for line in payload.decode().splitlines())
        else:
            messages.append(payload)
    return reply, messages, {**reply.headers, **trailers}


def read_reason(error):
    """Return the reason of a call's one ErrorInfo; from_call also compares code and message with the details."""
    (detail,) = rpc_status.from_call(error).details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    return info.reason


def test_a_grpc_stream_passes(gateway):
    with gateway.channel() as channel:
        events = list(chat_service_pb2_grpc.ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="a b")))
    assert [event.sequence for event in events] == [1, 2, 3]


def test_a_grpc_upload_larger_than_a_buffered_body_passes(gateway):
    frames = [
        document_service_pb2.UploadDocumentsRequest(filename="a", file=httpbody_pb2.HttpBody(data=b"z" * 1_000_000))
        for _ in range(20)
    ]
    with gateway.channel() as channel:
        answer = document_service_pb2_grpc.DocumentServiceStub(channel).UploadDocuments(iter(frames), timeout=20)
    assert answer.documents[0].size_bytes == 20_000_000


@pytest.mark.parametrize("timeout", ["banana", "1", "123456789S", "-1S"])
def test_a_malformed_deadline_is_refused_before_it_confuses_a_server(gateway, timeout):
    body, path = b"\0\0\0\0\0", "/docuchat.common.v1.StatusService/GetHealth"
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "grpc-timeout": timeout}
    reply = gateway.send("POST", path, body, headers)
    assert reply.headers["grpc-status"] == "3"
    assert "grpc-timeout" in reply.headers["grpc-message"]


def test_a_well_formed_deadline_reaches_the_server(gateway):
    body, path = b"\0\0\0\0\0", "/docuchat.common.v1.StatusService/GetHealth"
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "grpc-timeout": "20S"}
    assert b"grpc-status:0" in gateway.send("POST", path, body, headers).body


def test_a_grpc_error_keeps_its_details(gateway):
    with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        auth_service_pb2_grpc.AuthServiceStub(channel).Login(auth_service_pb2.LoginRequest(email="x"))
    status = rpc_status.from_call(caught.value)
    assert (caught.value.code(), len(status.details)) == (grpc.StatusCode.UNAUTHENTICATED, 1)


def test_grpc_web_streams_the_same_events(gateway):
    request = chat_service_pb2.AskRequest(question="a b")
    _, messages, trailers = web_call(gateway, "/docuchat.chat.v1.ChatService/Ask", request)
    assert [ask_event_pb2.AskEvent.FromString(message).sequence for message in messages] == [1, 2, 3]
    assert trailers["grpc-status"] == "0"


def test_a_grpc_web_error_keeps_its_details(gateway):
    _, _, trailers = web_call(gateway, "/docuchat.auth.v1.AuthService/Login", auth_service_pb2.LoginRequest(email="x"))
    assert trailers["grpc-status"] == "16"
    assert "grpc-status-details-bin" in trailers


def test_errors_of_the_gateway_are_grpc_statuses_with_plain_messages(gateway, lonely_gateway):
    with lonely_gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        auth_service_pb2_grpc.AuthServiceStub(channel).Login(auth_service_pb2.LoginRequest())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert read_reason(caught.value) == "UPSTREAM_UNAVAILABLE"
    _, _, trailers = web_call(lonely_gateway, "/docuchat.auth.v1.AuthService/Login", auth_service_pb2.LoginRequest())
    assert (trailers["grpc-status"], trailers["grpc-message"][:19]) == ("14", "The service behind ")
    assert b"UPSTREAM_UNAVAILABLE" in base64.b64decode(trailers["grpc-status-details-bin"] + "==")


def test_a_message_too_large_and_a_call_too_long_have_their_own_codes_and_reasons(gateway, hasty_gateway):
    calls = [(gateway, "a" * 9_000_000), (hasty_gateway, "slow@example.org")]
    seen = []
    for target, email in calls:
        request = auth_service_pb2.LoginRequest(email=email)
        with target.channel() as channel, pytest.raises(grpc.RpcError) as caught:
            auth_service_pb2_grpc.AuthServiceStub(channel).Login(request)
        seen.append((caught.value.code(), read_reason(caught.value)))
    assert seen == [
        (grpc.StatusCode.INVALID_ARGUMENT, "BODY_TOO_LARGE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "UPSTREAM_TIMEOUT"),
    ]


LOGIN = "/docuchat.auth.v1.AuthService/Login"
NO_MESSAGES = {
    "nothing": b"",
    "half a header": b"\0\0\0",
    "a header alone": b"\0\0\0\0\5",
    "a message cut short": b"\0\0\0\0\5ab",
    "a message of four gigabytes": b"\0\xff\xff\xff\xffab",
    "a message and more": b"\0\0\0\0\0\0",
}


@pytest.mark.parametrize("content_type", ["application/grpc-web+proto", "application/grpc-web-text"])
@pytest.mark.parametrize("kind", NO_MESSAGES)
def test_a_body_that_is_not_one_whole_message_is_answered_at_once(gateway, kind, content_type):
    body = base64.b64encode(NO_MESSAGES[kind]) if content_type.endswith("text") else NO_MESSAGES[kind]
    started = time.monotonic()
    reply = gateway.send("POST", LOGIN, body, {"content-type": content_type, "x-grpc-web": "1"})
    assert (reply.status, reply.headers["grpc-status"]) == (200, "3")
    assert b"INVALID_MESSAGE" in base64.b64decode(reply.headers["grpc-status-details-bin"] + "==")
    assert time.monotonic() - started < 5


def test_a_grpc_call_that_sends_no_message_is_answered_at_once(gateway):
    with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(LOGIN)(iter([]), timeout=5)
    assert (caught.value.code(), read_reason(caught.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_MESSAGE")


@pytest.mark.parametrize("timeout", ["200m", None])
def test_a_grpc_web_call_that_takes_too_long_is_deadline_exceeded(hasty_gateway, timeout):
    message = auth_service_pb2.LoginRequest(email="slow@example.org").SerializeToString()
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "grpc-timeout": timeout}
    reply = hasty_gateway.send("POST", LOGIN, b"\0" + len(message).to_bytes(4, "big") + message, headers)
    assert (reply.status, reply.headers["grpc-status"]) == (200, "4")
    # A deadline of the caller's own may be noticed by the service first, which says no more than that.
    details = reply.headers.get("grpc-status-details-bin", "" if timeout else None)
    assert details == "" or b"UPSTREAM_TIMEOUT" in base64.b64decode(details + "==")
    assert reply.headers["content-type"] == "application/grpc-web+proto"
    assert not details or reply.body == b""


def test_errors_over_grpc_web_keep_their_codes(gateway):
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    too_large = gateway.send("POST", LOGIN, b"a" * 70_000, headers)
    no_token = gateway.send("POST", "/docuchat.chat.v1.ChatService/Ask", b"", headers | {"authorization": None})
    assert [reply.headers["grpc-status"] for reply in (too_large, no_token)] == ["3", "16"]
    for reply in (too_large, no_token):
        assert (reply.headers["content-type"], reply.body) == ("application/grpc-web+proto", b"")
        assert len(reply.headers["grpc-message"]) > 15


def test_there_are_internal_methods_to_keep_out():
    assert "/docuchat.auth.v1.AuthService/IssueServiceToken" in INTERNAL
    assert "/docuchat.retrieval.v1.IndexService/IndexChunks" in INTERNAL


@pytest.mark.parametrize("path", INTERNAL)
def test_internal_methods_are_unreachable_on_every_transport(gateway, path):
    reached = len(gateway.journal.methods)
    with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path)(b"", timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    _, _, trailers = web_call(gateway, path, auth_service_pb2.LoginRequest())
    assert trailers["grpc-status"] == "12"
    assert gateway.post_json(path, {}).status == 404
    for variant in (path.replace("/", "//"), path + "/", path + "?x=1", f"/x/..{path}", path.upper()):
        assert gateway.post_json(variant, {}, {"content-type": "application/grpc"}).headers["grpc-status"] == "12"
    assert len(gateway.journal.methods) == reached


def test_health_and_reflection_are_closed_unless_asked_for(gateway):
    for path in ("/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
        with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"", timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_client_that_goes_away_ends_the_stream_behind(gateway):
    gateway.journal.cancelled.clear()
    with gateway.channel() as channel:
        call = chat_service_pb2_grpc.ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="forever"))
        next(iter(call))
        call.cancel()
        assert gateway.journal.cancelled.wait(2)
