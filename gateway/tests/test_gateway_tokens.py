"""Tokens at the gateway: refused from the headers alone where a route needs one; good ones are named in the log."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .conftest import sign_token


def test_a_good_token_names_tenant_and_user_in_the_access_log(gateway, signing_key):
    deadline = time.monotonic() + 10
    line = {"tenant_id": None}
    while line["tenant_id"] is None and time.monotonic() < deadline:
        reply = gateway.send("GET", "/health", None, {"authorization": f"Bearer {sign_token(signing_key)}"})
        line = gateway.find_log_line(reply.headers["x-request-id"])
    assert (line["tenant_id"], line["user_id"]) == ("tenant-1", "user-1")


@pytest.mark.parametrize("kind", ["forged", "expired", "other audience", "garbage"])
def test_a_bad_token_is_passed_on_and_not_believed(gateway, signing_key, kind):
    tokens = {
        "forged": sign_token(Ed25519PrivateKey.generate()),
        "expired": sign_token(signing_key, exp=int(time.time()) - 3600),
        "other audience": sign_token(signing_key, aud="someone"),
        "garbage": "a.b.c",
    }
    reply = gateway.send("GET", "/health", None, {"authorization": f"Bearer {tokens[kind]}"})
    assert reply.status == 200
    assert gateway.journal.metadata[-1]["authorization"] == f"Bearer {tokens[kind]}"
    assert gateway.find_log_line(reply.headers["x-request-id"])["tenant_id"] is None
