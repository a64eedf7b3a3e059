"""How many calls a minute pass, who is counted, and what those are told who called too often."""

import time
from contextlib import contextmanager

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from docuchat.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from docuchat.chat.v1 import chat_service_pb2, chat_service_pb2_grpc
from gateway.config import RateLimits
from gateway.descriptors import list_public_methods, load_files
from gateway.rate_limits import classify
from servicekit.errors import Code
from servicekit.rpc.status import read_error

from .conftest import sign_token

ASK = "/docuchat.chat.v1.ChatService/Ask"
LIMITS = RateLimits(changes=4, reads=8, api_key=6, logins=3)


@contextmanager
def informed(run_gateway, **fields):
    """A gateway once it has the keys: what it is asked until then counts for an address that no test uses."""
    with run_gateway(trusted_proxies=1, **fields) as gateway:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            reply = gateway.send("GET", "/health", None, {"x-forwarded-for": "203.0.113.99"})
            if reply.status == 200 and gateway.find_log_line(reply.headers["x-request-id"])["user_id"]:
                yield gateway
                return
        raise AssertionError("the gateway did not read the keys")


@pytest.fixture(scope="module")
def strict(run_gateway):
    with informed(run_gateway, rate_limits=LIMITS) as gateway:
        yield gateway


@pytest.fixture
def person(signing_key, request):
    """Makes the authorization of a user whom no other test has used."""

    def make(user="ann", tenant=request.node.name, **claims):
        return {"authorization": f"Bearer {sign_token(signing_key, sub=user, tid=tenant, **claims)}"}

    return make


def change(gateway, headers):
    return gateway.post_json("/v1/ask", {"question": "a"}, headers).status


def read(gateway, headers):
    return gateway.send("GET", "/v1/documents", None, headers).status


def count_passed(call, *arguments, tries=12):
    return sum(call(*arguments) == 200 for _ in range(tries))


def test_a_user_has_so_many_changes_and_so_many_reads_a_minute_and_others_have_their_own(strict, person):
    assert count_passed(change, strict, person()) == 4
    assert count_passed(read, strict, person()) == 8
    assert count_passed(change, strict, person("bob")) == 4
    assert count_passed(change, strict, person(tenant="another")) == 4


def test_it_does_not_matter_on_which_path_or_transport_the_calls_come(strict, person, signing_key):
    headers = person()
    assert change(strict, headers) == 200
    body = chat_service_pb2.AskRequest(question="a").SerializeToString()
    frame = b"\0" + len(body).to_bytes(4, "big") + body
    web = strict.send("POST", ASK, frame, headers | {"content-type": "application/grpc-web+proto"})
    assert web.status == 200
    reply = strict.post_json("/v1/documents:from-text", {"text": "a"}, headers)
    assert reply.headers["x-ratelimit-remaining"] == "1"
    with grpc.insecure_channel(f"127.0.0.1:{strict.port}") as channel:
        stub = chat_service_pb2_grpc.ChatServiceStub(channel)

        def ask():
            return list(stub.Ask(chat_service_pb2.AskRequest(question="a"), metadata=list(headers.items()), timeout=10))

        assert len(ask()) == 2
        with pytest.raises(grpc.RpcError) as caught:
            ask()
    error = read_error(caught.value)
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert 0 < int(dict(caught.value.trailing_metadata())["retry-after"]) <= 60


@pytest.mark.parametrize("content_type", ["application/json", "application/grpc-web+proto"])
def test_whoever_called_too_often_is_told_when_to_come_back(strict, person, content_type):
    headers = person()
    for _ in range(4):
        assert change(strict, headers) == 200
    path, body = ("/v1/ask", b"{}") if content_type.endswith("json") else (ASK, b"\0\0\0\0\0")
    reply = strict.send("POST", path, body, headers | {"content-type": content_type})
    assert reply.headers["x-ratelimit-limit"].startswith("4")
    assert reply.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(reply.headers["retry-after"]) <= 60
    if content_type.endswith("json"):
        assert (reply.status, reply.reason, reply.json["code"]) == (429, "RATE_LIMITED", 8)
    else:
        assert (reply.status, reply.headers["grpc-status"], reply.body) == (200, "8", b"")


def test_a_call_that_passes_says_how_many_are_left(strict, person):
    left = [strict.send("GET", "/v1/documents", None, person()).headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["7", "6", "5"]


def test_an_api_key_has_a_limit_of_its_own_for_all_its_calls_whomever_it_acts_for(strict, person):
    assert count_passed(change, strict, person("end-user-1", key="key-1"), tries=4) == 4
    assert count_passed(read, strict, person("end-user-2", key="key-1")) == 2
    assert count_passed(change, strict, person("end-user-1", key="key-2")) == 6
    assert count_passed(change, strict, person("end-user-1")) == 4


def log_in(gateway, address, authorization=None):
    headers = {"x-forwarded-for": address, "authorization": authorization}
    return gateway.post_json("/v1/auth/login", {"email": "known@example.org"}, headers).status


def test_an_address_may_try_to_log_in_so_often_whatever_token_it_shows(strict, person):
    assert count_passed(log_in, strict, "203.0.113.1") == 3
    assert log_in(strict, "203.0.113.1", person()["authorization"]) == 429
    assert log_in(strict, "203.0.113.2") == 200


def test_ways_in_share_one_limit_over_grpc_too(strict):
    metadata = [("x-forwarded-for", "203.0.113.3")]
    codes = []
    with grpc.insecure_channel(f"127.0.0.1:{strict.port}") as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        for call, request in [
            (stub.Login, auth_service_pb2.LoginRequest(email="known@example.org")),
            (stub.SignUp, auth_service_pb2.SignUpRequest()),
            (stub.Login, auth_service_pb2.LoginRequest(email="known@example.org")),
            (stub.Login, auth_service_pb2.LoginRequest(email="known@example.org")),
            (stub.Refresh, auth_service_pb2.RefreshRequest()),
        ]:
            try:
                call(request, metadata=metadata, timeout=10)
                codes.append("OK")
            except grpc.RpcError as error:
                codes.append(error.code().name)
    assert codes == ["OK", "UNIMPLEMENTED", "OK", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"]


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("198.51.100.7", "6.6.6.6, 198.51.100.7", True),
        ("198.51.100.8", "198.51.100.8, 198.51.100.9", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:2::1", "2001:db8:0:3::1", False),
    ],
)
def test_behind_one_proxy_the_last_address_counts_and_of_ipv6_its_network(strict, first, second, is_same):
    assert count_passed(log_in, strict, first) == 3
    assert (log_in(strict, second) == 429) is is_same


def test_without_a_proxy_nobody_chooses_an_address(run_gateway):
    with run_gateway(rate_limits=LIMITS) as gateway:
        passed = sum(log_in(gateway, f"203.0.113.{number}") == 200 for number in range(6))
        assert passed == 3
        gateway.send("GET", "/health", None, {"x-envoy-external-address": "6.6.6.6", "x-forwarded-for": "6.6.6.6"})
        assert gateway.journal.metadata[-1]["x-envoy-external-address"] != "6.6.6.6"


def test_services_are_told_the_address_that_counts(strict):
    strict.send("GET", "/health", None, {"x-forwarded-for": "6.6.6.6, 203.0.113.50"})
    assert strict.journal.metadata[-1]["x-envoy-external-address"] == "203.0.113.50"


def test_a_token_whose_key_is_not_known_yet_counts_for_its_address(strict):
    key, header = Ed25519PrivateKey.generate(), {"kid": "newer", "typ": "at+jwt"}
    claims = jwt.decode(sign_token(key), options={"verify_signature": False})
    stranger = jwt.encode(claims, key, algorithm="EdDSA", headers=header)
    headers = {"authorization": f"Bearer {stranger}", "x-forwarded-for": "203.0.113.60"}
    assert count_passed(change, strict, headers) == 4
    assert change(strict, headers | {"x-forwarded-for": "203.0.113.61"}) == 200


def test_what_is_refused_for_its_token_counts_for_nobody(strict, person):
    for _ in range(9):
        assert change(strict, {"authorization": None}) == 401
    assert count_passed(change, strict, person()) == 4


def test_more_callers_than_there_are_buckets_do_not_share_one(strict, person):
    # Envoy's own default is twenty: the first would begin afresh.
    headers = person("first")
    assert count_passed(change, strict, headers) == 4
    for number in range(40):
        assert change(strict, person(f"user-{number}")) == 200
    assert change(strict, headers) == 429


def test_a_limit_of_zero_is_none(run_gateway, person):
    limits = RateLimits(changes=0, reads=2, api_key=0, logins=0)
    with informed(run_gateway, rate_limits=limits) as gateway:
        assert count_passed(change, gateway, person()) == 12
        assert count_passed(change, gateway, person(key="key-1")) == 12
        assert count_passed(log_in, gateway, "203.0.113.1") == 12
        assert count_passed(read, gateway, person()) == 2


def test_every_method_is_counted_and_every_way_in_is_a_log_in():
    counted = {method.path.removeprefix("/docuchat."): classify(method) for method in list_public_methods(load_files())}
    assert counted["auth.v1.AuthService/Login"] == counted["auth.v1.AuthService/SignUp"] == "logins"
    assert counted["auth.v1.AuthService/Refresh"] == counted["common.v1.StatusService/GetHealth"] == "reads"
    assert counted["chat.v1.ChatService/Ask"] == counted["retrieval.v1.SearchService/Search"] == "changes"
    assert counted["ingestion.v1.DocumentService/GetDocument"] == "reads"
    assert set(counted.values()) <= set(vars(RateLimits()))
