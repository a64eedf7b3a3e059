import time
from dataclasses import dataclass, field

import pytest

from tests.accounts import sign_token
from tests.conftest import LIGHTHOUSE
from tests.documents import break_pdf, encrypt_pdf, make_pdf

DOCUMENTS = "docuchat.ingestion.v1.DocumentService."
CONVERSATIONS = "docuchat.chat.v1.ConversationService."
ASK = "docuchat.chat.v1.ChatService.Ask"
SEARCH = "docuchat.retrieval.v1.SearchService.Search"
ME = "docuchat.auth.v1.UserService.GetMe"
MISSING = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"
HTTP_STATUS = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
HTTP_STATUS |= {"FAILED_PRECONDITION": 400, "ALREADY_EXISTS": 409}


@dataclass(frozen=True)
class BadCall:
    """A call that must fail, and how."""

    name: str
    method: str
    code: str
    reason: str
    request: dict = field(default_factory=dict)


BAD_CALLS = [
    BadCall("blank question", ASK, "INVALID_ARGUMENT", "EMPTY_QUESTION", {"question": "  \n "}),
    BadCall("no question", ASK, "INVALID_ARGUMENT", "INVALID_FIELD", {"question": ""}),
    BadCall("long question", ASK, "INVALID_ARGUMENT", "INVALID_FIELD", {"question": "x" * 8001}),
    BadCall("bot before there are any", ASK, "INVALID_ARGUMENT", "INVALID_FIELD", {"question": "x", "bot_id": "b"}),
    BadCall(
        "unknown conversation",
        ASK,
        "NOT_FOUND",
        "CONVERSATION_NOT_FOUND",
        {"question": "x", "conversation_id": MISSING},
    ),
    BadCall("blank query", SEARCH, "INVALID_ARGUMENT", "EMPTY_QUERY", {"query": " "}),
    BadCall("absurd top_k", SEARCH, "INVALID_ARGUMENT", "INVALID_FIELD", {"query": "x", "top_k": 1000000000}),
    BadCall("id that is none", SEARCH, "INVALID_ARGUMENT", "INVALID_FIELD", {"query": "x", "document_ids": ["1 or 1"]}),
    BadCall("unknown document", f"{DOCUMENTS}GetDocument", "NOT_FOUND", "DOCUMENT_NOT_FOUND", {"document_id": MISSING}),
    BadCall(
        "text of no document",
        f"{DOCUMENTS}GetDocumentText",
        "NOT_FOUND",
        "DOCUMENT_NOT_FOUND",
        {"document_id": MISSING},
    ),
    BadCall(
        "file of no document",
        f"{DOCUMENTS}GetDocumentContent",
        "NOT_FOUND",
        "DOCUMENT_NOT_FOUND",
        {"document_id": MISSING},
    ),
    BadCall(
        "document id that is none", f"{DOCUMENTS}GetDocument", "INVALID_ARGUMENT", "INVALID_FIELD", {"document_id": "7"}
    ),
    BadCall("big page", f"{DOCUMENTS}ListDocuments", "INVALID_ARGUMENT", "INVALID_FIELD", {"page_size": 101}),
    BadCall(
        "made-up page token",
        f"{DOCUMENTS}ListDocuments",
        "INVALID_ARGUMENT",
        "INVALID_PAGE_TOKEN",
        {"page_token": "bm90IHlvdXJz"},
    ),
    BadCall("blank text", f"{DOCUMENTS}CreateDocumentFromText", "INVALID_ARGUMENT", "EMPTY", {"text": " \n "}),
    BadCall(
        "unknown collection",
        f"{DOCUMENTS}CreateDocumentFromText",
        "NOT_FOUND",
        "COLLECTION_NOT_FOUND",
        {"text": "x", "collection_id": MISSING},
    ),
    BadCall(
        "messages of no conversation",
        f"{CONVERSATIONS}ListMessages",
        "NOT_FOUND",
        "CONVERSATION_NOT_FOUND",
        {"conversation_id": MISSING},
    ),
]


def assert_failed(outcome, code, reason):
    """A canonical code, the reason, a sentence for people, and over HTTP the status that goes with the code."""
    assert (outcome.code, outcome.reason) == (code, reason), outcome
    assert len(outcome.message) > 15, outcome
    if outcome.http_status:
        assert outcome.http_status == HTTP_STATUS[code]


@pytest.mark.parametrize("bad", BAD_CALLS, ids=lambda bad: bad.name)
def test_bad_input_fails_alike(transport, owner, bad):
    assert_failed(transport.call(bad.method, bad.request, owner.token), bad.code, bad.reason)


def make_bad_tokens(stack, account):
    """Name -> token, code's reason."""
    past = int(time.time()) - 3600
    return {
        "missing": ("", "TOKEN_MISSING"),
        "expired": (sign_token(stack, account.token, iat=past, nbf=past, exp=past + 900), "TOKEN_EXPIRED"),
        "garbage": ("not.a.token", "TOKEN_INVALID"),
        "forged": (account.token[:-6] + "AAAAAA", "TOKEN_INVALID"),
        "of another issuer": (sign_token(stack, account.token, iss="elsewhere"), "TOKEN_INVALID"),
    }


@pytest.mark.parametrize("name", ["missing", "expired", "garbage", "forged", "of another issuer"])
@pytest.mark.parametrize("method", [ME, ASK, f"{DOCUMENTS}ListDocuments", SEARCH])
def test_a_call_without_a_good_token_fails_alike(transport, stack, owner, method, name):
    token, reason = make_bad_tokens(stack, owner)[name]
    request = {ASK: {"question": "x"}, SEARCH: {"query": "x"}}.get(method, {})
    assert_failed(transport.call(method, request, token), "UNAUTHENTICATED", reason)


BAD_FILES = {
    "unknown type": (b"\x7fELF" + bytes(2000), "tool.bin", "UNSUPPORTED_TYPE"),
    "page dressed up as a pdf": (b"<html><script>alert(1)</script></html>", "a.pdf", "UNSUPPORTED_TYPE"),
    "empty file": (b"", "empty.pdf", "EMPTY"),
    "over 25 MB": (b"All work and no play. " * 1_250_000, "long.txt", "FILE_TOO_LARGE"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_taken_is_refused_and_nothing_is_kept(transport, stack, user, name):
    content, filename, reason = BAD_FILES[name]
    before = stack.stored_files()
    assert_failed(transport.upload(content, filename, user.token), "INVALID_ARGUMENT", reason)
    assert user.http.get("/v1/documents").json["documents"] == []
    assert stack.stored_files() <= before


def test_an_upload_without_a_token_is_refused(transport, stack):
    before = stack.stored_files()
    assert_failed(transport.upload(b"# A\n\nText.", "a.md"), "UNAUTHENTICATED", "TOKEN_MISSING")
    assert stack.stored_files() <= before


BAD_DOCUMENTS = {
    "encrypted": (encrypt_pdf(make_pdf(*LIGHTHOUSE)), "FAILED", "ENCRYPTED"),
    "broken": (break_pdf(make_pdf(*LIGHTHOUSE)), "FAILED", "CORRUPT"),
    "without text": (make_pdf(""), "NO_TEXT", ""),
    "of too many pages": (make_pdf(*["x"] * 501), "FAILED", "TOO_MANY_PAGES"),
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_a_document_that_cannot_be_read_says_why(transport, user, name):
    content, state, reason = BAD_DOCUMENTS[name]
    outcome = transport.upload(content, "file.pdf", user.token)
    document = user.wait(outcome.messages[0]["documents"][0]["document_id"])
    assert (document["state"], document["state_reason"]) == (state, reason)
    assert reason == "" or len(document["state_message"]) > 15
    assert document["process_time"]
    text = transport.call(f"{DOCUMENTS}GetDocumentText", {"document_id": document["document_id"]}, user.token)
    if state == "FAILED":
        assert_failed(text, "FAILED_PRECONDITION", "DOCUMENT_NOT_READY")
    else:
        assert [message["text"] for message in text.messages] == [""]
    assert user.http.post("/v1/search", query="lighthouse").json["hits"] == []


def test_one_bad_file_of_a_form_keeps_the_others_out_too(stack, user):
    before = stack.stored_files()
    reply = user.http.upload_form(("a.md", b"# A\n\nText."), ("b.bin", b"\x7fELF" + bytes(99)))
    assert (reply.status, reply.reason) == (400, "UNSUPPORTED_TYPE")
    assert user.http.get("/v1/documents").json["documents"] == []
    assert stack.stored_files() <= before


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        ("/v1/ask", {"question": "x", "temperature": 2}, "UNKNOWN_FIELD"),
        ("/v1/search", {"query": "x", "topk": 3}, "UNKNOWN_FIELD"),
        ("/v1/search", {"query": "x", "top_k": "many"}, "INVALID_JSON"),
    ],
    ids=["unknown field", "misspelt field", "wrong type"],
)
def test_json_that_does_not_fit_is_refused(user, path, fields, reason):
    reply = user.http.post(path, **fields)
    assert (reply.status, reply.reason) == (400, reason)
    assert next(name for name in ("temperature", "topk", "top_k") if name in fields) in reply.json["message"]


def test_json_that_is_none_is_refused(user):
    reply = user.http.send("POST", "/v1/search", b'{"query": ', {"content-type": "application/json"})
    assert (reply.status, reply.reason) == (400, "INVALID_JSON")


def test_an_unknown_query_parameter_is_refused(user):
    reply = user.http.get("/v1/documents", sort="name")
    assert (reply.status, reply.reason) == (400, "INVALID_QUERY")


def test_an_unknown_path_is_refused(user):
    reply = user.http.get("/v1/secrets")
    assert reply.status == 404
    assert reply.json["details"][0]["reason"] == "UNKNOWN_PATH"


def test_every_error_names_its_request(owner):
    reply = owner.http.get(f"/v1/documents/{MISSING}")
    request_id = reply.json["details"][0]["metadata"]["request_id"]
    assert request_id
    assert request_id == reply.headers["x-request-id"]
