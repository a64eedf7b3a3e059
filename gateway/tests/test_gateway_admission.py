"""What is refused from the headers alone, and how long the rest of a request may take."""

import socket
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import code_pb2

from docuchat.chat.v1 import chat_service_pb2, chat_service_pb2_grpc
from gateway.config import Limits
from gateway.replies import REPLIES
from servicekit.identity import TokenMissing
from servicekit.tokens import TokenExpired, TokenInvalid

from .conftest import sign_token

PROTECTED = [
    ("POST", "/v1/ask", "application/json"),
    ("POST", "/v1/documents", "application/pdf"),
    ("POST", "/v1/documents:from-text", "application/json"),
    ("DELETE", "/v1/documents/3", "application/json"),
    ("GET", "/v1/me", "application/json"),
    ("POST", "/docuchat.chat.v1.ChatService/Ask", "application/grpc-web+proto"),
    ("POST", "/docuchat.ingestion.v1.DocumentService/UploadDocuments", "application/grpc-web+proto"),
]


@pytest.fixture(scope="module")
def informed_gateway(gateway):
    """The gateway once it has the keys: it names the user of a good token then."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reply = gateway.send("GET", "/health")
        if gateway.find_log_line(reply.headers["x-request-id"])["user_id"]:
            return gateway
    raise AssertionError("the gateway did not read the keys")


def begin(gateway, method, path, token, length=5000, content_type="application/json"):
    """Send the headers of a request whose body never comes; return the answer."""
    head = [f"{method} {path} HTTP/1.1", "host: a", f"content-length: {length}", f"content-type: {content_type}"]
    head += [f"authorization: {token}"] if token else []
    return gateway.send_bytes("\r\n".join([*head, "", ""]).encode())


def make_tokens(key):
    good = sign_token(key)
    past = int(time.time()) - 3600
    return {
        "TOKEN_MISSING": [None],
        "TOKEN_EXPIRED": [f"Bearer {sign_token(key, exp=past)}"],
        "TOKEN_INVALID": [
            "Bearer not.a.token",
            "Bearer ",
            f"Bearer {good}==",
            f"Bearer {good}, Bearer {good}",
            f"Bearer {sign_token(key, aud='someone')}",
            f"Bearer {sign_token(key, iss='someone')}",
            f"Bearer {sign_token(Ed25519PrivateKey.generate())}",
            good,
            f"Basic {good}",
        ],
    }


@pytest.mark.parametrize("reason", ["TOKEN_MISSING", "TOKEN_EXPIRED", "TOKEN_INVALID"])
@pytest.mark.parametrize(("method", "path", "content_type"), PROTECTED)
def test_a_bad_token_is_refused_before_the_body_comes(
    informed_gateway, signing_key, method, path, content_type, reason
):
    for token in make_tokens(signing_key)[reason]:
        reply = begin(informed_gateway, method, path, token, content_type=content_type)
        if "grpc" in content_type:
            assert (reply.status, reply.headers["grpc-status"]) == (200, "16"), token
        else:
            assert (reply.status, reply.reason) == (401, reason), token
            assert reply.headers["www-authenticate"] == "Bearer"


def test_a_token_without_its_scheme_is_told_what_is_missing(informed_gateway, signing_key):
    reply = begin(informed_gateway, "POST", "/v1/ask", sign_token(signing_key))
    assert reply.json["message"].startswith("Put 'Bearer ' before the token")


def test_the_gateway_refuses_tokens_in_the_words_of_the_services():
    messages = {(reply.reason, reply.message) for reply in REPLIES}
    for error in (TokenMissing(), TokenExpired(), TokenInvalid()):
        assert (error.reason, error.message) in messages
    assert {reply.grpc_code for reply in REPLIES if reply.reason.startswith("TOKEN_")} == {code_pb2.UNAUTHENTICATED}


def test_a_key_that_the_gateway_does_not_know_yet_is_the_services_to_judge(informed_gateway, lonely_gateway):
    stranger = sign_token(Ed25519PrivateKey.generate(), kid="newer")
    assert lonely_gateway.send("GET", "/v1/me", None, {"authorization": f"Bearer {stranger}"}).status == 503


def test_public_methods_ask_for_no_token_and_mind_none(informed_gateway):
    for token in (None, "Bearer not.a.token", "nonsense"):
        assert informed_gateway.send("GET", "/health", None, {"authorization": token}).status == 200


@pytest.mark.parametrize(
    ("path", "length"), [("/v1/auth/login", 65537), ("/v1/ask", 200_000), ("/v1/documents:from-text", 9_000_000)]
)
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(informed_gateway, path, length):
    reply = begin(informed_gateway, "POST", path, f"Bearer {informed_gateway.token}", length)
    assert (reply.status, reply.reason) == (413, "BODY_TOO_LARGE")


def test_a_body_that_does_not_say_its_length_is_cut_at_the_limit_of_its_route(informed_gateway):
    chunk = b"8000\r\n" + b"[" * 0x8000 + b"\r\n"
    head = b"POST /v1/auth/login HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    assert informed_gateway.send_bytes(head + chunk, wait=0.5) is None
    assert informed_gateway.send_bytes(head + chunk * 3).status == 413


@pytest.fixture(scope="module")
def impatient_gateway(run_gateway):
    """A gateway that waits a second for a request to be whole and one more for a unary call to be answered."""
    with run_gateway(limits=Limits(receive_seconds=1, unary_seconds=1)) as gateway:
        yield gateway


DRIPPED = [
    ("/v1/auth/login", "application/json"),
    ("/v1/nothing", "application/json"),
    ("/docuchat.auth.v1.AuthService/Login", "application/grpc-web+proto"),
]


@pytest.mark.parametrize(("path", "content_type"), DRIPPED)
def test_a_body_that_drips_is_cut(impatient_gateway, path, content_type):
    answer, seconds = drip(impatient_gateway, path, content_type, 10)
    assert seconds < 9
    assert b"REQUEST_TIMEOUT" in answer or b"grpc-status: 4" in answer


def test_the_time_to_be_whole_is_over_once_a_request_is(impatient_gateway):
    started = time.monotonic()
    with impatient_gateway.channel() as channel:
        call = chat_service_pb2_grpc.ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="three seconds"))
        assert impatient_gateway.post_json("/v1/ask", {"question": "three seconds"}).events[-1]["sequence"] == 2
        assert [event.sequence for event in call] == [1, 2]
    assert time.monotonic() - started > 3


def test_an_upload_may_drip_on(impatient_gateway):
    answer, _ = drip(impatient_gateway, "/v1/documents?filename=a", "application/pdf", 3)
    assert answer == b""


def drip(gateway, path, content_type, seconds):
    """Send a byte each tenth of a second, for so many at most; return the answer and when it came."""
    token = f"authorization: Bearer {gateway.token}"
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\ncontent-length: 999\r\n{token}\r\n\r\n"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=0.1) as connection:
        connection.sendall(head.encode())
        while time.monotonic() < began + seconds:
            try:
                return connection.recv(65536), time.monotonic() - began
            except TimeoutError:
                connection.sendall(b"x")
    return b"", time.monotonic() - began
