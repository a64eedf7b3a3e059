"""API keys and selected tenants: auth is asked about them, and about nothing else."""

import time
from secrets import token_hex

import grpc
import pytest

from auth.errors.keys import ApiKeyExpired, ApiKeyInvalid
from docuchat.ingestion.v1 import document_service_pb2, document_service_pb2_grpc
from servicekit.errors import DependencyUnavailable
from servicekit.rpc.status import read_error

from .conftest import sign_token

TENANT = "7d1f5e2c-0000-4000-8000-000000000001"
KEY = {"authorization": "Bearer dck_0123456789ab_secret"}
GRPC_WEB = {"content-type": "application/grpc-web+proto"}
LIST = "/docuchat.ingestion.v1.DocumentService/ListDocuments"


@pytest.fixture
def asked(gateway, signing_key):
    """The gateway, with an auth that trades everything for a good token."""
    gateway.journal.exchange = lambda headers: sign_token(signing_key, sub="behind-the-key", key="key-1")
    before = len(gateway.journal.checks)
    yield gateway
    gateway.journal.exchange = None
    del gateway.journal.checks[before:]


@pytest.fixture
def refused(asked):
    """The gateway, with an auth that refuses what the test says."""

    def refuse_with(error):
        def refuse(headers):
            raise error

        asked.journal.exchange = refuse
        return asked

    return refuse_with


def new_key():
    """A key that no other test has shown: what auth says of one is remembered for a moment."""
    return {"authorization": f"Bearer dck_{token_hex(6)}_secret"}


def last_check(gateway):
    return dict(gateway.journal.checks[-1])


@pytest.mark.parametrize("credential", ["Bearer dck_x", "bearer  dck_x", "BEARER dck_x"])
def test_a_key_becomes_a_token_before_anything_else_looks_at_it(asked, credential):
    credential += token_hex(6)
    reply = asked.send("GET", "/v1/documents", None, {"authorization": credential})
    assert reply.status == 200
    sent = asked.journal.metadata[-1]["authorization"]
    assert sent.startswith("Bearer ey")
    assert last_check(asked)["authorization"] == credential
    line = asked.find_log_line(reply.headers["x-request-id"])
    assert "dck_" not in str(line)


def test_a_selected_tenant_and_an_end_user_are_told_to_auth_and_to_no_service(asked):
    headers = new_key() | {"x-tenant-id": TENANT, "x-on-behalf-of": "ann", "x-secret": "s", "cookie": "c"}
    assert asked.send("GET", "/v1/documents", None, headers).status == 200
    told = last_check(asked)
    assert (told["x-tenant-id"], told["x-on-behalf-of"]) == (TENANT, "ann")
    assert told["x-request-id"]
    assert {"x-secret", "cookie"}.isdisjoint(told)
    assert {"x-tenant-id", "x-on-behalf-of"}.isdisjoint(asked.journal.metadata[-1])


@pytest.mark.parametrize("name", ["x-tenant-id", "x-on-behalf-of"])
@pytest.mark.parametrize("value", [TENANT, "", "x"])
def test_the_header_alone_is_enough_to_be_judged(asked, name, value):
    before = len(asked.journal.checks)
    asked.send("GET", "/v1/documents", None, {name: value})
    assert len(asked.journal.checks) == before + 1


def test_what_came_twice_is_told_twice(asked):
    head = ["GET /v1/documents HTTP/1.1", "host: a", "authorization: Bearer a.b.c", "authorization: Bearer dck_x"]
    head += [f"x-tenant-id: {TENANT}", "x-tenant-id: other"]
    asked.send_bytes("\r\n".join([*head, "", ""]).encode())
    told = asked.journal.checks[-1]
    assert [value for name, value in told if name == "x-tenant-id"] == [TENANT, "other"]
    # Envoy knows one line of this header and joins what came; no credential has a comma in it.
    assert dict(told)["authorization"] == "Bearer a.b.c,Bearer dck_x"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1/documents", {}),
        ("GET", "/v1/documents", {"authorization": None}),
        ("GET", "/v1/documents", {"authorization": "Bearer a.b.c"}),
        ("GET", "/v1/documents", {"authorization": "Basic dck_x"}),
        ("GET", "/health", {**KEY, "x-tenant-id": TENANT}),
        ("GET", "/v1/nothing", KEY),
        ("PUT", "/v1/documents", KEY),
        ("GET", "/", KEY),
        ("POST", "/docuchat.chat.v1.SourceService/EraseQuotes", {**KEY, **GRPC_WEB}),
    ],
)
def test_auth_is_not_asked_about_the_rest(asked, method, path, headers):
    before = len(asked.journal.checks)
    asked.send(method, path, None, headers)
    assert len(asked.journal.checks) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [(ApiKeyInvalid(), 401), (ApiKeyExpired(), 401), (DependencyUnavailable("postgresql"), 503)],
)
def test_a_refusal_reaches_each_kind_of_client_as_auth_has_put_it(refused, error, status):
    gateway, key = refused(error), new_key()
    handled = gateway.journal.handled
    as_json = gateway.send("GET", "/v1/documents", None, key)
    assert (as_json.status, as_json.reason, as_json.json["message"]) == (status, error.reason, error.message)
    assert as_json.headers["content-type"] == "application/json"
    info = as_json.json["details"][0]
    assert (info["domain"], info["metadata"]["request_id"]) == ("auth.docuchat", as_json.headers["x-request-id"])
    assert ("www-authenticate" in as_json.headers) == (status == 401)
    as_web = gateway.send("POST", LIST, b"\0\0\0\0\0", key | GRPC_WEB)
    assert (as_web.status, as_web.headers["grpc-message"], as_web.body) == (200, error.message, b"")
    # Clients of gRPC-Web look at it before anything else.
    assert as_web.headers["content-type"] == "application/grpc-web+proto"
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = document_service_pb2_grpc.DocumentServiceStub(channel)
        metadata = list(key.items())
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListDocuments(document_service_pb2.ListDocumentsRequest(), metadata=metadata, timeout=10)
    found = read_error(caught.value)
    assert (found.code, found.reason, found.message) == (error.code, error.reason, error.message)
    assert gateway.journal.handled == handled


def test_a_refusal_comes_before_the_body(refused):
    gateway = refused(ApiKeyInvalid())
    head = "POST /v1/ask HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n"
    reply = gateway.send_bytes(f"{head}authorization: {KEY['authorization']}\r\n\r\n".encode())
    assert (reply.status, reply.reason) == (401, "API_KEY_INVALID")


def test_a_public_method_takes_no_notice_of_the_headers(asked):
    reply = asked.post_json("/v1/auth/login", {"email": "known@example.org"}, KEY | {"x-tenant-id": "no uuid"})
    assert reply.status == 200
    assert "x-tenant-id" not in asked.journal.metadata[-1]


def test_an_upload_with_a_key_streams_as_any_other(asked):
    reply = asked.send("POST", "/v1/documents?filename=a.pdf", b"x" * 3_000_000, new_key())
    assert reply.json["documents"][0]["size_bytes"] == 3_000_000
    assert len(asked.journal.frames) > 2


def test_while_auth_is_away_whoever_shows_a_key_is_refused(lonely_gateway):
    reply = lonely_gateway.send("GET", "/v1/documents", None, KEY)
    assert (reply.status, reply.reason, reply.json["code"]) == (503, "UPSTREAM_UNAVAILABLE", 14)
    assert lonely_gateway.send("POST", LIST, b"\0\0\0\0\0", KEY | GRPC_WEB).headers["grpc-status"] == "14"


def test_the_headers_names_are_settings(run_gateway, signing_key):
    with run_gateway(tenant_header="x-organisation", on_behalf_of_header="x-end-user") as gateway:
        gateway.journal.exchange = lambda headers: sign_token(signing_key)
        gateway.send("GET", "/v1/documents", None, {"x-organisation": TENANT, "x-end-user": "ann", "x-tenant-id": "x"})
        told = last_check(gateway)
        assert (told["x-organisation"], told["x-end-user"]) == (TENANT, "ann")
        assert {"x-organisation", "x-end-user", "x-tenant-id"}.isdisjoint(gateway.journal.metadata[-1])


def count_checks(gateway, *requests):
    before = len(gateway.journal.checks)
    for headers in requests:
        assert gateway.send("GET", "/v1/documents", None, headers).status == 200
    return len(gateway.journal.checks) - before


def test_what_auth_has_traded_is_remembered_for_a_moment_and_for_the_same_alone(asked):
    key, other = new_key(), new_key()
    assert count_checks(asked, key, *[key] * 3) <= 2
    assert asked.journal.metadata[-1]["authorization"].startswith("Bearer ey")
    assert count_checks(asked, other, key | {"x-tenant-id": TENANT}, key | {"x-on-behalf-of": "ann"}) == 3
    assert count_checks(asked, key | {"x-on-behalf-of": "bob"}, key | {"x-tenant-id": ""}) == 2
    asked.send("GET", "/v1/documents", None, key | {"x-on-behalf-of": "ann"})
    assert "x-on-behalf-of" not in asked.journal.metadata[-1]


def test_what_was_remembered_is_asked_about_again_within_two_seconds(asked):
    key = new_key()
    began = time.monotonic()
    assert count_checks(asked, key) == 1
    while count_checks(asked, key) == 0:
        assert time.monotonic() < began + 4
    assert time.monotonic() < began + 4


def test_a_refusal_is_not_remembered(refused, signing_key):
    gateway, key = refused(ApiKeyInvalid()), new_key()
    assert gateway.send("GET", "/v1/documents", None, key).status == 401
    gateway.journal.exchange = lambda headers: sign_token(signing_key)
    assert gateway.send("GET", "/v1/documents", None, key).status == 200
