import pytest

from tests.accounts import END_STATES
from tests.conftest import LIGHTHOUSE
from tests.documents import make_pdf
from tests.transports import JsonTransport, StubTransport

ASK = "docuchat.chat.v1.ChatService.Ask"
GET = "docuchat.ingestion.v1.DocumentService.GetDocument"
TEXT = "docuchat.ingestion.v1.DocumentService.GetDocumentText"
CHUNKS = "docuchat.ingestion.v1.DocumentService.ListChunks"
LIST = "docuchat.ingestion.v1.DocumentService.ListDocuments"
SEARCH = "docuchat.retrieval.v1.SearchService.Search"
ME = "docuchat.auth.v1.UserService.GetMe"
QUESTION = "Who built the lighthouse of Norwick, and when?"
# New with every call, or a matter of the clock.
VOLATILE = {"conversation_id", "message_id", "latency_ms", "time_to_first_token_ms"}
# The prompt marks passages with a number that is new with every call and has more tokens or fewer.
VOLATILE |= {"input_tokens"}
# New with every upload.
IDENTITY = {"document_id", "version_id", "collection_id", "create_time", "update_time", "process_time"}


def tidy(value, dropped=frozenset()):
    """Returns JSON without some fields, and with numbers as a single-precision float can hold them."""
    if isinstance(value, dict):
        return {key: tidy(item, dropped) for key, item in value.items() if key not in dropped}
    if isinstance(value, list | tuple):
        return [tidy(item, dropped) for item in value]
    return round(value, 4) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def by_http(stack, owner, lighthouse):
    """The events of the question as HTTP brings them."""
    request = {"question": QUESTION, "document_ids": [lighthouse["document_id"]]}
    return JsonTransport(stack.port).call(ASK, request, owner.token).messages


def test_an_answer_is_the_same_stream_of_events(transport, owner, lighthouse, by_http):
    request = {"question": QUESTION, "document_ids": [lighthouse["document_id"]]}
    outcome = transport.call(ASK, request, owner.token)
    assert outcome.code == "OK", outcome
    assert len(outcome.messages) > 4
    assert "completed" in outcome.messages[-1]
    assert tidy(outcome.messages, VOLATILE) == tidy(by_http, VOLATILE)


@pytest.mark.parametrize(
    ("method", "fields"),
    [(GET, {}), (TEXT, {"start_offset": 4, "end_offset": 20}), (CHUNKS, {"page_size": 5})],
    ids=["document", "text", "chunks"],
)
def test_a_document_reads_the_same(transport, stack, owner, lighthouse, method, fields):
    request = {"document_id": lighthouse["document_id"], **fields}
    outcome = transport.call(method, request, owner.token)
    assert outcome.code == "OK", outcome
    assert tidy(outcome.messages) == tidy(JsonTransport(stack.port).call(method, request, owner.token).messages)


@pytest.mark.parametrize(
    ("method", "request_fields"),
    [(LIST, {"page_size": 1}), (SEARCH, {"query": "steps of the tower", "top_k": 2}), (ME, {})],
    ids=["list", "search", "me"],
)
def test_what_a_user_sees_is_the_same(transport, stack, owner, lighthouse, method, request_fields):
    outcome = transport.call(method, request_fields, owner.token)
    assert outcome.code == "OK", outcome
    assert tidy(outcome.messages) == tidy(JsonTransport(stack.port).call(method, request_fields, owner.token).messages)


def test_the_same_file_becomes_the_same_document(transport, user, lighthouse):
    outcome = transport.upload(make_pdf(*LIGHTHOUSE), "lighthouse.pdf", user.token)
    (uploaded,) = outcome.messages[0]["documents"]
    document = wait(transport, user, uploaded["document_id"])
    assert tidy(document, IDENTITY) == tidy(lighthouse, IDENTITY)
    request = {"question": QUESTION}
    answer = transport.call(ASK, request, user.token).messages
    assert {event["citation"]["document_id"] for event in answer if "citation" in event} == {document["document_id"]}


def wait(transport, account, document_id):
    """Returns the document in its end state, asked for on this transport."""
    for _ in range(200):
        (message,) = transport.call(GET, {"document_id": document_id}, account.token).messages
        if message["document"]["state"] in END_STATES:
            return message["document"]
    raise TimeoutError(message)


def test_a_form_with_several_files_can_only_come_by_http(stack, user):
    """What a browser sends: here only so that the difference between the transports stands in one place."""
    reply = user.http.upload_form(("a.md", b"# A\n\nText."), ("b.md", b"# B\n\nText."))
    assert len(reply.json["documents"]) == 2
    outcome = StubTransport(stack.port).upload(b"# C\n\nText.", "c.md", user.token)
    assert len(outcome.messages[0]["documents"]) == 1
