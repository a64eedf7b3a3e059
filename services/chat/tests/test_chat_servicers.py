import asyncio

import pytest

from chat.model import FinishReason, ProviderFinish, Usage
from docuchat.chat.v1 import conversation_pb2, conversation_service_pb2
from docuchat.ingestion.v1 import document_pb2
from servicekit.errors import AppError, Code

DOCUMENT = "33333333-3333-4333-8333-333333333333"
COLLECTION = "55555555-5555-4555-8555-555555555555"


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
    # A search begins while the question is stored, with what the caller may see; nothing else does.
    assert len(service.peers.callers) <= (reason == "CONVERSATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (AppError(Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
        (RuntimeError("x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
        (AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
        (AppError(Code.RESOURCE_EXHAUSTED, "OVERLOADED", "x"), "UNAVAILABLE", "RETRIEVAL_UNAVAILABLE"),
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


async def test_half_characters_of_a_provider_are_joined_or_replaced(start, peers):
    service = await start(peers.ScriptedProvider("so \ud83d", "\ude00 and \ud800 it", " is \ude00"))
    events = await peers.collect(service.ask(peers.request()))
    assert events[-1].WhichOneof("event") == "completed"
    answer = "".join(event.text_delta.text for event in events)
    assert answer == "so 😀 and \ufffd it is \ufffd"
    assert (await peers.messages_of(service, events[0].started.conversation_id))[1].text == answer


async def test_an_event_that_protobuf_refuses_ends_the_stream_in_band(start, peers):
    finish = ProviderFinish(FinishReason.STOP, Usage(2**40, 1, reported_by_provider=True))
    service = await start(peers.ScriptedProvider("text", finish))
    events = await peers.collect(service.ask(peers.request()))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].error.code, events[-1].error.reason) == ("INTERNAL", "INTERNAL_ERROR")


async def test_controls_and_orders_to_turn_text_around_reach_nobody(start, peers):
    service = await start(peers.ScriptedProvider("a\x1b[31m \u202eb\x00 \x9bc می‌خواهم"))
    service.peers.title = "A\x1b[2J \u202etitle\u0007"
    events = await peers.collect(service.ask(peers.request("W\x1bhat \u202eis?")))
    assert events[1].sources.passages[0].title == "A[2J title"
    assert "".join(event.text_delta.text for event in events) == "a[31m b c می‌خواهم"
    listed = await service.conversations.ListConversations(conversation_service_pb2.ListConversationsRequest())
    assert listed.conversations[0].title == "What is?"


def document_under_way(state, number, collection_id=COLLECTION):
    document_id = f"00000000-0000-4000-8000-{number:012}"
    return document_pb2.Document(document_id=document_id, collection_id=collection_id, state=state)


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 5),
        ({"document_ids": [DOCUMENT]}, 0),
        ({"collection_ids": [COLLECTION]}, 4),
        ({"collection_ids": [DOCUMENT]}, 1),
    ],
)
async def test_no_answer_counts_the_callers_documents_that_are_being_processed(
    start, peers, monkeypatch, fields, count
):
    monkeypatch.setattr("chat.clients.progress.TIMEOUT_SECONDS", 30)
    service = await start()
    states = document_pb2.Document
    under_way = (states.UPLOADED, states.PARSING, states.CHUNKING, states.INDEXING, states.READY, states.FAILED)
    service.peers.has_hits = False
    service.peers.documents = [document_under_way(state, number) for number, state in enumerate(under_way)]
    service.peers.documents.append(document_under_way(states.INDEXING, 9, DOCUMENT))
    events = await peers.collect(service.ask(peers.request(**fields)))
    answer = "".join(event.text_delta.text for event in events)
    completed = events[-1].completed
    assert (completed.finish_reason, completed.documents_in_progress) == (completed.NO_ANSWER, count)
    assert (f"still being processed: {count}." in answer) is (count > 0)
    assert set(service.peers.callers) == {service.token}
    assert (await peers.messages_of(service, completed.conversation_id))[1].text == answer


async def test_the_count_of_documents_being_processed_ends_at_a_hundred(start, peers, monkeypatch):
    monkeypatch.setattr("chat.clients.progress.TIMEOUT_SECONDS", 30)
    service = await start()
    service.peers.has_hits = False
    states = document_pb2.Document
    service.peers.documents = [document_under_way(states.UPLOADED, number) for number in range(150)]
    service.peers.documents += [document_under_way(states.INDEXING, number) for number in range(200, 250)]
    events = await peers.collect(service.ask(peers.request()))
    assert events[-1].completed.documents_in_progress == 100


async def test_what_cannot_be_counted_is_not_told_and_harms_nothing(start, peers):
    service = await start()
    service.peers.has_hits = False
    service.peers.list_failure = AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "x")
    events = await peers.collect(service.ask(peers.request()))
    completed = events[-1].completed
    assert (completed.finish_reason, completed.documents_in_progress) == (completed.NO_ANSWER, 0)
    assert "".join(event.text_delta.text for event in events) == "The documents do not answer this question."


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
