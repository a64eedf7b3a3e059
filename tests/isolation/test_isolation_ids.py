"""Whoever may not see a thing gets the same bytes as for a thing that is not there, whatever the method."""

import json
from dataclasses import dataclass, field, replace

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass

from docuchat.common.v1 import access_pb2
from tests.http_client import HttpClient
from tests.transports import JsonTransport, all_methods, find_method

MISSING = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"
QUESTION = "Who built the lighthouse of Norwick?"
OPEN = {access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN}
INGESTION, CHAT, RETRIEVAL = "docuchat.ingestion.v1", "docuchat.chat.v1", "docuchat.retrieval.v1"
AUTH = "docuchat.auth.v1"
KEYS = f"{AUTH}.ApiKeyService"
USERS = f"{AUTH}.UserService"
# Names of ours that everybody knows, and one of a thing that does not exist yet.
NOBODYS = {"bot_id", "plan_id"}
# services/auth/tests/test_auth_tenants.py tries their ids, one by one: a colleague's tenant is no foreign one.
TENANTS = f"{AUTH}.TenantService"
TENANT_METHODS = [
    "CreateTenant",
    "ListTenants",
    "GetTenant",
    "UpdateTenant",
    "SelectTenant",
    "EraseTenant",
    "ListMembers",
    "UpdateMember",
    "RemoveMember",
    "LeaveTenant",
    "CreateInvitation",
    "ListInvitations",
    "RevokeInvitation",
    "AcceptInvitation",
    "ListAuditEvents",
]


@dataclass(frozen=True)
class Row:
    """How a method is tried: what else its request needs, and what a foreign id must come to."""

    fields: dict = field(default_factory=dict)
    reason: str = ""
    """Empty: it answers, as if there were nothing."""


NOTHING = Row()
ROWS = {
    f"{USERS}.GetMe": NOTHING,
    f"{USERS}.RequestEmailVerification": NOTHING,
    f"{USERS}.VerifyEmail": NOTHING,
    f"{USERS}.ChangePassword": NOTHING,
    f"{USERS}.ListSessions": NOTHING,
    f"{USERS}.RevokeSession": Row(reason="SESSION_NOT_FOUND"),
    f"{USERS}.RevokeAllSessions": NOTHING,
    f"{AUTH}.PlanService.GetSubscription": NOTHING,
    f"{AUTH}.PlanService.CreateCheckoutSession": Row({"plan_id": "pro"}),
    f"{AUTH}.PlanService.CreatePortalSession": NOTHING,
    f"{AUTH}.UsageService.GetUsage": NOTHING,
    f"{KEYS}.CreateApiKey": Row({"name": "x", "scopes": ["ADMIN"]}),
    f"{KEYS}.GetApiKey": Row(reason="API_KEY_NOT_FOUND"),
    f"{KEYS}.ListApiKeys": NOTHING,
    f"{KEYS}.UpdateApiKey": Row({"name": "x"}, "API_KEY_NOT_FOUND"),
    f"{KEYS}.RotateApiKey": Row(reason="API_KEY_NOT_FOUND"),
    f"{KEYS}.RevokeApiKey": Row(reason="API_KEY_NOT_FOUND"),
    f"{INGESTION}.CollectionService.CreateCollection": Row({"display_name": "x"}),
    f"{INGESTION}.CollectionService.GetCollection": Row(reason="COLLECTION_NOT_FOUND"),
    f"{INGESTION}.CollectionService.ListCollections": NOTHING,
    f"{INGESTION}.DocumentService.UploadDocuments": Row(reason="COLLECTION_NOT_FOUND"),
    f"{INGESTION}.DocumentService.CreateDocumentFromText": Row({"text": "x"}, "COLLECTION_NOT_FOUND"),
    f"{INGESTION}.DocumentService.GetDocument": Row(reason="DOCUMENT_NOT_FOUND"),
    f"{INGESTION}.DocumentService.ListDocuments": NOTHING,
    f"{INGESTION}.DocumentService.DeleteDocument": Row(reason="DOCUMENT_NOT_FOUND"),
    f"{INGESTION}.DocumentService.ListChunks": Row(reason="DOCUMENT_NOT_FOUND"),
    f"{INGESTION}.DocumentService.GetDocumentText": Row(reason="DOCUMENT_NOT_FOUND"),
    f"{INGESTION}.DocumentService.BatchGetDocumentTexts": NOTHING,
    f"{INGESTION}.DocumentService.GetDocumentContent": Row(reason="DOCUMENT_NOT_FOUND"),
    f"{RETRIEVAL}.SearchService.Search": Row({"query": QUESTION}),
    f"{CHAT}.ChatService.Ask": Row({"question": QUESTION}, "CONVERSATION_NOT_FOUND"),
    f"{CHAT}.ConversationService.GetConversation": Row(reason="CONVERSATION_NOT_FOUND"),
    f"{CHAT}.ConversationService.ListConversations": NOTHING,
    f"{CHAT}.ConversationService.DeleteConversation": Row(reason="CONVERSATION_NOT_FOUND"),
    f"{CHAT}.ConversationService.ListMessages": Row(reason="CONVERSATION_NOT_FOUND"),
    "docuchat.auth.v1.UserService.UpdateMe": Row({"user": {"first_name": "x"}}),
    "docuchat.auth.v1.UserService.EraseMe": Row({"password": "wrong"}),
    **dict.fromkeys((f"{TENANTS}.{name}" for name in TENANT_METHODS), NOTHING),
}
UPLOAD = f"{INGESTION}.DocumentService.UploadDocuments"


def public_methods():
    return [method for method in all_methods() if method.GetOptions().Extensions[access_pb2.access] in OPEN]


def id_fields():
    """Yields method name and field for each id that a person can send."""
    for method in public_methods():
        if method.containing_service.full_name == TENANTS:
            continue
        for item in method.input_type.fields:
            if item.name.endswith(("_id", "_ids")) and item.name not in NOBODYS:
                yield method.full_name, item


def test_every_method_open_to_people_has_a_row():
    assert {method.full_name for method in public_methods()} == set(ROWS)


@pytest.fixture(scope="module")
def conversation_id(owner, lighthouse):
    return owner.ask(QUESTION)[0]["started"]["conversation_id"]


@pytest.fixture(scope="module")
def treasures(owner, lighthouse, conversation_id):
    """What others must not reach, by the singular of the field that names it."""
    created = owner.http.post("/v1/collections", display_name="Private").json["collection"]
    key = owner.http.post("/v1/api-keys", name="Private", scopes=["READ"]).json["api_key"]
    return {
        "api_key_id": key["api_key_id"],
        "user_id": owner.user_id,
        "document_id": lighthouse["document_id"],
        "collection_id": created["collection_id"],
        "conversation_id": conversation_id,
        "session_id": owner.http.get("/v1/me/sessions").json["sessions"][0]["session_id"],
    }


@pytest.fixture(params=["stranger", "colleague"])
def outsider(request):
    """Someone of another tenant, and another user of the same one."""
    return request.getfixturevalue(request.param)


def send(stack, account, method, fields):
    """Returns the raw HTTP answer without what differs from call to call."""
    if method == UPLOAD:
        reply = HttpClient(stack.port, account.token).send(
            "POST", f"/v1/documents?filename=a.md&collection_id={fields['collection_id']}", b"# A\n\nText."
        )
    else:
        reply = send_json(stack, account, method, fields)
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        return reply.status, [tidy(event) for event in reply.events]
    return reply.status, tidy(reply.json)


def send_json(stack, account, method, fields):
    rule = find_method(method).GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path, rest = getattr(rule, verb), dict(fields)
    for name in fields:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", rest.pop(name))
    client = HttpClient(stack.port, account.token)
    if rule.body:
        return client.send(verb.upper(), path, json.dumps(rest).encode(), {"content-type": "application/json"})
    return client.get(path, **rest) if verb == "get" else client.send(verb.upper(), path)


VOLATILE = {"request_id", "conversation_id", "message_id", "latency_ms", "time_to_first_token_ms", "input_tokens"}
# What a tenant has used goes on while it is asked about.
VOLATILE |= {"start_time", "end_time", "used_tokens", "reserved_tokens", "remaining_tokens"}


def tidy(value):
    if isinstance(value, dict):
        return {key: tidy(item) for key, item in value.items() if key not in VOLATILE}
    return [tidy(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("method", "item"), [pytest.param(*row, id=f"{row[0]}-{row[1].name}") for row in id_fields()])
def test_a_foreign_id_answers_like_a_missing_one(stack, outsider, treasures, method, item):
    foreign = treasures[item.name.removesuffix("s")]
    row = ROWS[method]
    answers = [
        send(stack, outsider, method, row.fields | {item.name: [number] if item.is_repeated else number})
        for number in (foreign, MISSING)
    ]
    assert answers[0] == answers[1]
    assert foreign not in json.dumps(answers[0])
    status, answer = answers[0]
    if row.reason and not item.is_repeated:
        assert status == 404
        assert answer["details"][0]["reason"] == row.reason
    elif method.endswith(".Ask"):
        assert answer[-1]["completed"]["finish_reason"] == "NO_ANSWER"


@pytest.mark.parametrize(("method", "item"), [pytest.param(*row, id=f"{row[0]}-{row[1].name}") for row in id_fields()])
def test_a_foreign_id_answers_like_a_missing_one_on_each_transport(transport, outsider, treasures, method, item):
    foreign = treasures[item.name.removesuffix("s")]
    row = ROWS[method]
    outcomes = [
        call(transport, method, row.fields | {item.name: [number] if item.is_repeated else number}, outsider.token)
        for number in (foreign, MISSING)
    ]
    assert outcomes[0] == outcomes[1]
    if row.reason and not item.is_repeated:
        assert (outcomes[0].code, outcomes[0].reason) == ("NOT_FOUND", row.reason)
    elif not method.endswith(".Ask"):
        assert outcomes[0].code == "OK"


def call(transport, method, fields, token):
    """Returns what a call comes to, without what differs from call to call."""
    if method == UPLOAD:
        outcome = transport.upload(b"# A\n\nText.", "a.md", token, **fields)
    else:
        outcome = transport.call(method, fields, token)
    return replace(outcome, messages=tuple(tidy(message) for message in outcome.messages))


def test_lists_and_searches_of_others_hold_nothing_of_ours(outsider, lighthouse, treasures):
    http = outsider.http
    answers = [
        http.get("/v1/documents"),
        http.get("/v1/documents", state="READY"),
        http.get("/v1/collections"),
        http.get("/v1/conversations"),
        http.post("/v1/search", query=QUESTION, top_k=50),
    ]
    assert {answer.status for answer in answers} == {200}
    # Who shares a collection with the tenant is no secret in it.
    secrets = [value for name, value in treasures.items() if name != "user_id"]
    for secret in (*secrets, "Lindqvist", "lighthouse.pdf"):
        assert all(secret not in answer.body.decode() for answer in answers), secret


def test_an_answer_to_others_rests_on_nothing_of_ours(outsider, lighthouse):
    events = outsider.ask(QUESTION)
    assert events[-1]["completed"]["finish_reason"] == "NO_ANSWER"
    assert "Lindqvist" not in json.dumps(events)
    assert lighthouse["document_id"] not in json.dumps(events)


def test_what_others_tried_to_delete_is_still_there(owner, outsider, treasures, lighthouse):
    outsider.http.delete(f"/v1/documents/{treasures['document_id']}")
    outsider.http.delete(f"/v1/conversations/{treasures['conversation_id']}")
    assert owner.http.get(f"/v1/documents/{treasures['document_id']}").json["document"]["state"] == "READY"
    assert owner.http.get(f"/v1/conversations/{treasures['conversation_id']}").status == 200


def test_a_shared_collection_opens_to_the_tenant_and_to_nobody_else(owner, colleague, stranger):
    created = owner.http.post("/v1/collections", display_name="Shared", visibility="TENANT").json["collection"]
    reply = owner.http.post(
        "/v1/documents:from-text",
        text="# Canteen\n\nThe canteen closes at two in the afternoon.",
        collection_id=created["collection_id"],
    )
    document = owner.wait(reply.json["document"]["document_id"])
    path = f"/v1/documents/{document['document_id']}"
    assert colleague.http.get(path).status == 200
    assert "canteen closes" in json.dumps(colleague.ask("When does the canteen close?"))
    assert stranger.http.get(path).status == 404
    assert stranger.http.post("/v1/search", query="canteen").json["hits"] == []


@pytest.mark.parametrize("header", ["x-user-id", "x-role", "x-docuchat-tenant"])
def test_a_header_does_not_make_someone_else_of_the_caller(owner, stranger, lighthouse, header):
    value = {"x-user-id": owner.user_id, "x-role": "STAFF"}.get(header, owner.tenant_id)
    reply = stranger.http.send("GET", f"/v1/documents/{lighthouse['document_id']}", headers={header: value})
    assert (reply.status, reply.reason) == (404, "DOCUMENT_NOT_FOUND")


def internal_methods():
    """What the gateway must not route: methods for services, and those without an HTTP path."""
    for method in all_methods():
        access = method.GetOptions().Extensions[access_pb2.access]
        if access == access_pb2.ACCESS_SERVICE or not method.GetOptions().HasExtension(annotations_pb2.http):
            yield method


@pytest.mark.parametrize("method", [pytest.param(row, id=row.full_name) for row in internal_methods()])
def test_an_internal_method_cannot_be_reached_through_the_gateway(stack, owner, method):
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = ParseDict({}, GetMessageClass(method.input_type)())
    with grpc.insecure_channel(f"127.0.0.1:{stack.port}") as channel:
        send = channel.stream_stream(path, request_serializer=lambda message: message.SerializeToString())
        answer = send(iter([request]), timeout=10, metadata=[("authorization", f"Bearer {owner.token}")])
        with pytest.raises(grpc.RpcError) as caught:
            list(answer)
    assert caught.value.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}
    assert JsonTransport(stack.port).call("docuchat.common.v1.StatusService.GetHealth", {}).code == "OK"
    for kind in ("application/json", "application/grpc-web+proto"):
        reply = owner.http.send("POST", path, b"{}", {"content-type": kind})
        assert reply.status == 404 or reply.headers.get("grpc-status") in {"5", "12"}


def test_a_range_of_a_foreign_text_is_missing_like_one_that_is_not_there(stack, owner, outsider, lighthouse):
    def read(account, document_id):
        place = {"document_id": document_id, "version_id": lighthouse["version_id"], "start_offset": 0, "end_offset": 5}
        reply = HttpClient(stack.port, account.token).post("/v1/documents:batch-get-texts", ranges=[place])
        return reply.status, reply.json["texts"]

    assert read(owner, lighthouse["document_id"]) == (200, [{"text": "The l", "is_missing": False}])
    assert read(outsider, lighthouse["document_id"]) == read(outsider, MISSING)
    assert read(outsider, MISSING) == (200, [{"text": "", "is_missing": True}])
