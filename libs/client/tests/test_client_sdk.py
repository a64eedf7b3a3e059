import asyncio
from pathlib import Path

import pytest

from docuchat.ingestion.v1.collection_pb2 import Collection
from docuchat.ingestion.v1.document_pb2 import Document
from docuchat_client import DocuChat, DocuChatError, DocumentNotUsable, GatewayUnreachable, NotReadyInTime
from docuchat_client.connection import parse_target
from docuchat_client.session import expires_soon
from docuchat_client.uploads import FRAME_BYTES
from servicekit.errors import AppError, Code

PASSWORD = "correct horse battery staple"


async def gather(events):
    return [event async for event in events]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://127.0.0.1:8080", (False, "127.0.0.1:8080")),
        ("127.0.0.1:8080", (False, "127.0.0.1:8080")),
        ("https://chat.example.org", (True, "chat.example.org:443")),
        ("http://[::1]:8080/", (False, "[::1]:8080")),
    ],
)
def test_a_gateway_address_may_be_written_in_several_ways(target, expected):
    assert parse_target(target) == expected


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no gateway address"):
        parse_target("ftp://example.org")


def test_a_port_that_is_none_is_named_with_its_address():
    with pytest.raises(ValueError, match="'http://a:99999' is no gateway address: its port"):
        parse_target("http://a:99999")


async def test_https_makes_an_encrypted_channel():
    async with DocuChat.connect("https://127.0.0.1:1") as client:
        with pytest.raises(GatewayUnreachable):
            await client.status()


async def test_an_error_carries_code_reason_message_and_metadata(stack):
    async with DocuChat.connect(stack.address) as client:
        with pytest.raises(DocuChatError) as caught:
            await client.sign_up("taken@example.org", PASSWORD)
    error = caught.value
    assert (error.code, error.reason, error.message) == ("ALREADY_EXISTS", "TAKEN", "Log in instead.")
    assert error.metadata["request_id"]
    assert error.retry_after_seconds == 2.5
    assert str(error) == "Log in instead. (TAKEN)"


async def test_a_gateway_that_is_not_there_has_an_error_of_its_own():
    async with DocuChat.connect("127.0.0.1:1") as client:
        with pytest.raises(GatewayUnreachable, match="Nothing answers"):
            await client.me()


async def test_signing_up_logs_in(stack):
    heard = []
    async with DocuChat.connect(stack.address, on_tokens=heard.append) as client:
        answer = await client.sign_up("a@example.org", PASSWORD, display_name="Ada", tenant_name="Lumen")
        assert answer.tenant.display_name == "Lumen"
        assert (await client.me()).user.display_name == "Ada"
    assert [tokens.access_token for tokens in heard] == [answer.tokens.access_token]


async def test_an_access_token_near_its_end_is_renewed_before_the_call(stack):
    stack.account.lifetime_seconds = 5
    heard = []
    async with DocuChat.connect(stack.address, on_tokens=heard.append) as client:
        await client.log_in("a@example.org", PASSWORD)
        await asyncio.gather(*(client.me() for _ in range(5)))
    assert stack.account.refreshes == ["refresh-0"]
    assert [tokens.refresh_token for tokens in heard] == ["refresh-0", "refresh-1"]


async def test_a_token_the_server_calls_expired_is_renewed_and_the_call_made_again(client, stack):
    document = await client.upload(b"text", filename="a.md")
    stack.library.expired_answers = 1
    assert (await client.document(document.document_id)).filename == "a.md"
    assert stack.account.refreshes == ["refresh-0"]


async def test_a_call_that_stays_expired_is_not_made_a_third_time(client, stack):
    document = await client.upload(b"text", filename="a.md")
    stack.library.expired_answers = 3
    with pytest.raises(DocuChatError, match="TOKEN_EXPIRED"):
        await client.document(document.document_id)
    assert stack.library.expired_answers == 1


async def test_a_session_that_is_over_says_so(stack):
    stack.account.lifetime_seconds = 5
    token = stack.account.issue().access_token
    async with DocuChat.connect(stack.address, access_token=token, refresh_token="over") as client:
        with pytest.raises(DocuChatError, match="INVALID_REFRESH_TOKEN"):
            await client.me()


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.e30.c"])
def test_a_token_without_a_readable_end_is_left_to_the_server(token):
    assert not expires_soon(token)


async def test_logging_out_ends_the_session_on_both_sides(client, stack):
    await client.log_out()
    assert stack.account.logouts == ["refresh-0"]
    with pytest.raises(DocuChatError, match="TOKEN_MISSING"):
        await client.me()
    await client.log_out()
    assert stack.account.logouts == ["refresh-0"]


async def test_a_file_is_sent_in_frames_of_256_kib(client, stack, tmp_path: Path):
    path = tmp_path / "book.txt"
    path.write_bytes(b"x" * (2 * FRAME_BYTES + 1))
    sent = []
    document = await client.upload(path, on_sent=sent.append)
    assert [len(frame.file.data) for frame in stack.library.frames] == [0, FRAME_BYTES, FRAME_BYTES, 1]
    assert stack.library.frames[0].filename == "book.txt"
    assert (document.size_bytes, sent[-1]) == (2 * FRAME_BYTES + 1, 2 * FRAME_BYTES + 1)


async def test_an_empty_file_reaches_the_server_which_refuses_it(client):
    with pytest.raises(DocuChatError, match="EMPTY"):
        await client.upload(b"", filename="a.md")


async def test_a_missing_file_is_an_os_error_before_any_call(client, stack, tmp_path):
    with pytest.raises(FileNotFoundError):
        await client.upload(tmp_path / "none.md")
    assert stack.library.frames == []


async def test_waiting_shows_progress_and_ends_with_the_ready_document(client):
    document = await client.upload(b"text", filename="a.md")
    seen = []
    ready = await client.wait_until_ready(document.document_id, on_progress=lambda step: seen.append(step.state))
    assert ready.state == Document.READY
    assert seen == [Document.INDEXING, Document.INDEXING, Document.READY]


@pytest.mark.parametrize(
    ("end", "reason"),
    [({"state": Document.FAILED, "state_reason": "CORRUPT"}, "CORRUPT"), ({"state": Document.NO_TEXT}, "NO_TEXT")],
)
async def test_waiting_for_a_document_that_cannot_be_used_raises_why(client, stack, end, reason):
    stack.library.end = end
    document = await client.upload(b"text", filename="a.md")
    with pytest.raises(DocumentNotUsable) as caught:
        await client.wait_until_ready(document.document_id)
    assert caught.value.reason == reason
    assert caught.value.document.state == end["state"]


async def test_waiting_goes_on_over_a_short_outage(client, stack):
    document = await client.upload(b"text", filename="a.md")
    stack.library.outages = 4
    assert (await client.wait_until_ready(document.document_id)).state == Document.READY
    assert stack.library.outages == 0


async def test_waiting_goes_on_when_there_are_too_many_calls_for_a_moment(client, stack):
    document = await client.upload(b"text", filename="a.md")
    stack.library.outages = 1
    stack.library.refusal = AppError(Code.RESOURCE_EXHAUSTED, "TOO_MANY_CONCURRENT_CALLS", "Come back.")
    assert (await client.wait_until_ready(document.document_id)).state == Document.READY


async def test_waiting_does_not_go_on_over_a_long_outage(client, stack, monkeypatch):
    monkeypatch.setattr("docuchat_client.documents.OUTAGE_SECONDS", 0)
    document = await client.upload(b"text", filename="a.md")
    stack.library.outages = 100
    with pytest.raises(DocuChatError, match="DEPENDENCY_UNAVAILABLE"):
        await client.wait_until_ready(document.document_id)


async def test_waiting_ends_at_its_limit(client):
    document = await client.upload(b"text", filename="a.md")
    with pytest.raises(NotReadyInTime, match="still INDEXING"):
        await client.wait_until_ready(document.document_id, limit_seconds=0.05)


async def test_lists_go_on_over_all_pages(client):
    for _ in range(5):
        await client.upload(b"text", filename="a.md")
    assert len(await gather(client.documents())) == 5
    assert [chunk.text for chunk in await gather(client.chunks("00000000-0000-4000-8000-000000000000"))] == [
        "chunk 0",
        "chunk 1",
    ]
    assert len(await gather(client.conversations())) == 2
    assert len(await gather(client.messages("00000000-0000-4000-8000-000000000000"))) == 2


async def test_text_and_content_come_back(client):
    document = await client.create_from_text("سلام دنیا", filename="a.md")
    assert await client.text(document.document_id) == "سلام دنیا"
    assert await client.text(document.document_id, start_offset=5) == "دنیا"
    assert await client.text(document.document_id, start_offset=0, end_offset=0) == ""
    assert b"".join(await gather(client.content(document.document_id))).decode() == "سلام دنیا"


async def test_a_deleted_document_is_gone(client):
    document = await client.upload(b"text", filename="a.md")
    await client.delete_document(document.document_id)
    with pytest.raises(DocuChatError, match="DOCUMENT_NOT_FOUND"):
        await client.document(document.document_id)


async def test_a_collection_is_private_unless_shared(client):
    assert (await client.create_collection("mine")).visibility == Collection.PRIVATE
    assert (await client.create_collection("ours", shared=True)).visibility == Collection.TENANT


async def test_deleting_an_unknown_conversation_is_an_error(client, missing_id):
    with pytest.raises(DocuChatError, match="CONVERSATION_NOT_FOUND"):
        await client.delete_conversation(missing_id)


async def test_search_returns_hits(client):
    hits = await client.search("leave", top_k=3)
    assert [hit.page_start for hit in hits] == [2]


async def test_an_answer_is_a_stream_of_events(client, stack):
    events = await gather(client.ask("How long?", document_ids=["00000000-0000-4000-8000-000000000000"]))
    assert [event.sequence for event in events] == list(range(1, 10))
    assert events[-1].completed.provider == "extractive"
    assert list(stack.talk.asked[0].document_ids) == ["00000000-0000-4000-8000-000000000000"]


async def test_leaving_an_answer_cancels_it(client, stack):
    events = client.ask("endless")
    await anext(events)
    await events.aclose()
    await asyncio.wait_for(stack.talk.ended.wait(), 5)


async def test_an_answer_has_a_deadline(client):
    with pytest.raises(DocuChatError) as caught:
        await gather(client.ask("endless", timeout_seconds=0.3))
    assert caught.value.code == "DEADLINE_EXCEEDED"


async def test_a_bad_question_fails_before_the_first_event(client):
    with pytest.raises(DocuChatError, match="INVALID_FIELD"):
        await gather(client.ask(""))
