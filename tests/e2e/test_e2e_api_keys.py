"""API keys as servers use them."""

import json
import time

from docuchat_client import DocuChat
from tests.accounts import sign_up
from tests.http_client import HttpClient

REVOKED_SECONDS = 5


def create_key(account, *scopes, **fields):
    reply = account.http.post("/v1/api-keys", name="server", scopes=scopes, **fields)
    assert reply.status == 200, reply.body
    return reply.json


async def test_a_key_that_may_ask_is_all_that_an_answer_with_sources_needs(stack, owner, lighthouse):
    secret = create_key(owner, "ASK")["secret"]
    async with DocuChat.connect(stack.url, access_token=secret) as client:
        events = [event async for event in client.ask("Who built the lighthouse of Norwick?")]
    assert events[-1].HasField("completed")
    assert any("Lindqvist" in event.citation.quote for event in events if event.HasField("citation"))


def test_what_a_key_did_is_seen_in_its_last_use_and_its_secret_in_no_log(stack, user):
    made = create_key(user, "READ")
    path, secret = f"/v1/api-keys/{made['api_key']['api_key_id']}", made["secret"]
    assert HttpClient(stack.port, secret).get("/v1/documents").status == 200
    deadline = time.monotonic() + 10
    while "last_use_time" not in user.http.get(path).json["api_key"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert user.http.get(path).json["api_key"]["last_use_time"]
    random_part = secret.rpartition("_")[2] if "_" not in secret[17:] else secret[17:]
    logs = "".join(file.read_text(errors="replace") for file in (stack.home / "logs").glob("*.log"))
    assert random_part[:8] not in logs
    assert secret not in json.dumps(user.http.get("/v1/api-keys").json)


def test_a_rotated_key_is_good_with_both_secrets_for_the_overlap(stack, user):
    made = create_key(user, "READ")
    path = f"/v1/api-keys/{made['api_key']['api_key_id']}"
    rotated = user.http.post(f"{path}:rotate", overlap_seconds=60).json
    for secret in (made["secret"], rotated["secret"]):
        assert HttpClient(stack.port, secret).get("/v1/documents").status == 200
    assert user.http.post(f"{path}:rotate", overlap_seconds=0).status == 200
    deadline = time.monotonic() + REVOKED_SECONDS
    while (reply := HttpClient(stack.port, rotated["secret"]).get("/v1/documents")).status == 200:
        assert time.monotonic() < deadline
    assert (reply.status, reply.reason) == (401, "API_KEY_INVALID")


def test_someone_without_a_tenant_in_common_sees_none_of_the_keys(stack, user):
    made = create_key(user, "READ")
    stranger = sign_up(stack)
    assert stranger.http.get("/v1/api-keys").json["api_keys"] == []
    assert stranger.http.get(f"/v1/api-keys/{made['api_key']['api_key_id']}").reason == "API_KEY_NOT_FOUND"
