"""What people may send in any text field: it is refused or taken, never an error of ours, and never in a log."""

import secrets
import time
from urllib.parse import urlencode

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import FieldDescriptor

from servicekit.rpc.paging import encode_page_token
from tests.accounts import PASSWORD, sign_up
from tests.http_client import HttpClient
from tests.transports import StubTransport, all_methods

UPLOAD = "docuchat.ingestion.v1.DocumentService.UploadDocuments"
OURS = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
HOSTILE = {
    "NUL": "a\0b",
    "controls": "\x1b[31m\x07\x7f\r\n",
    "direction": "\u202egnp.exe\u2066\u200f",
    "not characters": "\ufffe\uffff\U0010ffff",
    "long": "x" * 40_000,
    "SQL": "'; DROP TABLE auth.users; --",
    "template": "${HOME}{{7*7}}%s%n",
}
MADE_UP_KEYS = {
    "before all dates": ("0001-01-01T00:00:00+23:59", "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"),
    "after all dates": ("9999-12-31T23:59:59-23:59", "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"),
    "NUL": ("\0", "\0"),
}


def text_fields():
    """Yields each method with an HTTP path and each text field of its request."""
    for method in all_methods():
        if method.GetOptions().HasExtension(annotations_pb2.http) and method.full_name != UPLOAD:
            for item in method.input_type.fields:
                if item.type == FieldDescriptor.TYPE_STRING:
                    yield method, item


def fill(method, item, value):
    """Returns a request that is good but for one field."""
    good = {"password": PASSWORD, "email": f"{secrets.token_hex(6)}@example.org", "display_name": "x", "text": "x"}
    good |= {"question": "x", "query": "x", "refresh_token": "x"}
    names = {field.name for field in method.input_type.fields}
    request = {name: good[name] for name in names & set(good)}
    return request | {item.name: [value] if item.is_repeated else value}


FIELDS = [pytest.param(*row, id=f"{row[0].name}-{row[1].name}") for row in text_fields()]


@pytest.mark.parametrize(("method", "item"), FIELDS)
def test_no_text_is_an_error_of_ours(stack, user, method, item):
    for name, value in HOSTILE.items():
        outcome = StubTransport(stack.port).call(method.full_name, fill(method, item, value), user.token)
        assert outcome.code not in OURS, name
        assert outcome.code == "OK" or outcome.reason, name


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_no_file_name_is_an_error_of_ours(stack, user, value):
    outcome = StubTransport(stack.port).upload(b"# A\n\nText.", value, user.token)
    assert outcome.code in {"OK", "INVALID_ARGUMENT"}


@pytest.mark.parametrize("path", ["/v1/documents/%ff", "/v1/documents?page_token=%ed%a0%80", "/v1/documents/%c0%ae"])
def test_bytes_that_are_no_text_are_refused(user, path):
    reply = user.http.get(path)
    assert (reply.status, reply.reason) == (400, "INVALID_FIELD")


@pytest.mark.parametrize("key", MADE_UP_KEYS.values(), ids=MADE_UP_KEYS)
@pytest.mark.parametrize("kind", ["documents", "collections", "conversations"])
def test_a_page_token_made_up_to_hurt_is_refused(user, kind, key):
    reply = user.http.get(f"/v1/{kind}", page_token=encode_page_token(kind, key))
    assert (reply.status, reply.json["code"]) == (400, 3)


@pytest.fixture
def canary():
    # No hex digits: a piece of it must not be found in a request id by chance.
    return "".join(secrets.choice("ghjkmnpqrstvwxyz") for _ in range(32))


def push(stack, canary):
    """Sends the canary wherever people can send text, with and without a good token; returns the last answer, too."""
    account = sign_up(stack, canary)
    transport = StubTransport(stack.port)
    for method, item in text_fields():
        for token in (account.token, canary):
            transport.call(method.full_name, fill(method, item, canary), token)
    account.wait(account.upload(f"# {canary}\n\nThe secret is {canary}.".encode(), f"{canary}.md"))
    account.ask(f"What is {canary}?")
    client = HttpClient(stack.port, account.token)
    client.send("GET", f"/v1/documents?{urlencode({'page_token': canary, canary: canary})}")
    last = client.send("POST", "/v1/search", f'{{"query": "{canary}'.encode(), {"x-canary": canary, "cookie": canary})
    return account, last


def read_logs(stack, last):
    """Returns every log once the gateway's, which is written after the services' own, tells of the last request."""
    (request_id,) = {detail.get("metadata", {}).get("request_id") for detail in last.json["details"]} - {None}
    end = time.monotonic() + 15
    while True:
        logs = {path.name: path.read_text(errors="replace") for path in (stack.home / "logs").glob("*.log")}
        if request_id in logs["gateway.log"]:
            return logs
        assert time.monotonic() < end, "the gateway has not logged its last request"
        time.sleep(0.05)


def test_nothing_that_people_send_is_in_a_log(stack, canary):
    account, last = push(stack, canary)
    logs = read_logs(stack, last)
    assert len(logs["gateway.log"]) > 1000
    secret = [canary, account.token, account.refresh_token, PASSWORD, account.email]
    # Whole for names and addresses; of what grants something, not even eight characters.
    pieces = {text for text in secret if text} | {canary[start : start + 8] for start in range(len(canary) - 7)}
    pieces |= {account.token[start : start + 8] for start in range(len(account.token) - 40, len(account.token) - 7)}
    assert {piece: name for piece in pieces for name, log in logs.items() if piece in log} == {}
