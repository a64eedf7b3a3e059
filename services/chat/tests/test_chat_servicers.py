import asyncio

import pytest

from docuchat.chat.v1 import conversation_pb2, conversation_service_pb2
from servicekit.errors import AppError, Code

DOCUMENT = "33333333-3333-4333-8333-333333333333"


async def test_an_answer_streams_with_checked_citations_and_is_stored(start, peers):
    service = await start()
    events = await peers.collect(service.ask(peers.request()))
    kinds = [event.WhichOneof("event") for event in events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (kinds[0], kinds[1], kinds[-2], kinds[-1]) == ("started", "sources", "usage", "completed")
    answer = "".join(event.text_delta.text for event in events)
    assert answer == "A trace tree is a set of traces that share one anchor. [1]"
    (citation,) = [event.citation for event in events if event.WhichOneof("event") == "citation"]
    assert citation.check == citation.EXACT
    assert peers.TEXT[citation.start_offset : citation.end_offset] == citation.quote
    assert citation.quote == "A trace tree is a set of traces that share one anchor."
    assert (citation.document_id, citation.version_id, citation.page_number) == (DOCUMENT, peers.VERSION, 1)
    assert answer[citation.answer_start : citation.answer_end] == answer
    completed = events[-1].completed
    assert (completed.provider, completed.finish_reason) == ("extractive", completed.STOP)
    assert completed.latency_ms >= completed.time_to_first_token_ms
    asked, stored = await peers.messages_of(service, completed.conversation_id)
    assert (asked.role, asked.text) == (conversation_pb2.Message.USER, "What is a trace tree?")
    assert not asked.HasField("usage")
    assert (stored.text, list(stored.citations), stored.state) == (
        answer,
        [citation],
        conversation_pb2.Message.COMPLETE,
    )
    assert stored.usage == next(event.usage for event in events if event.WhichOneof("event") == "usage")


async def test_the_callers_own_token_travels_to_retrieval_and_ingestion(start, peers):
    service = await start()
    await peers.collect(service.ask(peers.request()))
    assert service.peers.callers == [service.token, service.token]


async def test_a_conversation_goes_on(start, peers):
    service = await start()
    first = (await peers.collect(service.ask(peers.request())))[-1].completed
    second = (await peers.collect(service.ask(peers.request("What about it?", conversation_id=first.conversation_id))))[
        -1
    ].completed
    assert second.conversation_id == first.conversation_id
    assert len(await peers.messages_of(service, first.conversation_id)) == 4


async def test_no_passages_is_no_answer_and_no_error(start, peers):
    service = await start()
    service.peers.has_hits = False
    events = await peers.collect(service.ask(peers.request()))
    assert events[1].WhichOneof("event") == "sources"
    assert not events[1].sources.passages
    assert events[-1].completed.finish_reason == events[-1].completed.NO_ANSWER


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"question": "  "}, Code.INVALID_ARGUMENT, "EMPTY_QUESTION"),
        ({"question": ""}, Code.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"question": "x" * 8001}, Code.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"conversation_id": "nope"}, Code.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"bot_id": "b"}, Code.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"document_ids": [DOCUMENT] * 101}, Code.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"conversation_id": DOCUMENT}, Code.NOT_FOUND, "CONVERSATION_NOT_FOUND"),
    ],
)
async def test_bad_input_fails_the_call_and_stores_nothing(start, peers, fields, code, reason):
    service = await start()
    error = await peers.error_of(peers.collect(service.ask(peers.request(**fields))))
    assert (error.code, error.reason) == (code, reason)
    listed = await service.conversations.ListConversations(conversation_service_pb2.ListConversationsRequest())
    assert not listed.conversations
    assert service.peers.callers == []


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (AppError(Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
        (RuntimeError("x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
        (AppError(Code.INVALID_ARGUMENT, "EMPTY_QUERY", "x"), "INVALID_ARGUMENT", "EMPTY_QUERY"),
    ],
)
async def test_retrieval_that_fails_ends_the_stream_in_band(start, peers, raised, code, reason):
    service = await start()
    service.peers.failure = raised
    events = await peers.collect(service.ask(peers.request()))
    assert [event.WhichOneof("event") for event in events] == ["started", "error"]
    assert (events[-1].error.code, events[-1].error.reason) == (code, reason)
    stored = await peers.messages_of(service, events[0].started.conversation_id)
    assert stored[1].state == conversation_pb2.Message.FAILED


@pytest.mark.parametrize("fault", ["text_failure", "version"])
async def test_a_quote_that_cannot_be_checked_is_unsupported(start, peers, fault):
    service = await start()
    setattr(
        service.peers, fault, AppError(Code.NOT_FOUND, "DOCUMENT_NOT_FOUND", "x") if "failure" in fault else "newer"
    )
    events = await peers.collect(service.ask(peers.request()))
    (citation,) = [event.citation for event in events if event.WhichOneof("event") == "citation"]
    assert citation.check == citation.UNSUPPORTED
    assert events[-1].WhichOneof("event") == "completed"


async def test_a_client_that_goes_stops_the_provider_and_leaves_the_sent_prefix(start, peers):
    provider = peers.SlowProvider()
    service = await start(provider)
    call = service.ask(peers.request())
    received = ""
    async for event in call:
        if event.WhichOneof("event") == "started":
            conversation_id = event.started.conversation_id
        received += event.text_delta.text
        if len(received) > 40:
            break
    call.cancel()
    await asyncio.wait_for(provider.closed.wait(), 1)
    for _ in range(50):
        stored = (await peers.messages_of(service, conversation_id))[1]
        if stored.state != conversation_pb2.Message.STREAMING:
            break
        await asyncio.sleep(0.02)
    assert stored.state == conversation_pb2.Message.CANCELLED
    assert stored.text.startswith(received)
    assert len(stored.text) < len(received) + 200
    assert stored.usage.output_tokens == len(stored.text.split())


async def test_streams_hold_no_database_connection(start, peers):
    provider = peers.SlowProvider()
    service = await start(provider)
    calls = [service.ask(peers.request()) for _ in range(20)]
    for call in calls:
        events = [await call.read() for _ in range(3)]
        assert events[-1].WhichOneof("event") == "text_delta"
    # The pool has five connections, and twenty answers are being written.
    listed = service.conversations.ListConversations(conversation_service_pb2.ListConversationsRequest())
    assert len((await asyncio.wait_for(listed, 3)).conversations) == 20
    for call in calls:
        call.cancel()
