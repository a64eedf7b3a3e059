import asyncio

import pytest
from sqlalchemy import text as sql

from chat.model import Check, Citation, FinishReason, ProviderFinish, ProviderQuote
from chat.turn.erase import ERASED, erase_documents
from docuchat.chat.v1 import conversation_pb2, conversation_service_pb2, source_service_pb2
from servicekit.errors import Code

QUOTE = "A trace tree is a set of traces that share one anchor."


def cite(answer, claim, marker, document_id):
    start = answer.index(claim)
    end = answer.index(f"[{marker}]", start) + 3
    return Citation(marker, "quote", Check.EXACT, start, end, document_id, "v", "f.pdf", 3, 10, 15)


def claims(text, citations):
    return [text[each.answer_start : each.answer_end] for each in citations]


def test_only_what_rests_on_the_document_goes_and_other_ranges_still_name_their_claims():
    answer = "A is so [1]. Uncited. B is not [2], and C [1]. D [3][2] End."
    given = [
        cite(answer, "A is", 1, "one"),
        cite(answer, "B is", 2, "two"),
        cite(answer, "and C", 1, "one"),
        cite(answer, "D [", 3, "three"),
        cite(answer, "D [", 2, "two"),
    ]
    text, left = erase_documents(answer, given, {"two"})
    assert text == f"A is so [1]. {ERASED} [2], and C [1]. {ERASED} [3][2] End."
    assert claims(text, left) == ["A is so [1]", f"{ERASED} [2]", "and C [1]", f"{ERASED} [3]", f"{ERASED} [3][2]"]
    assert [each.check for each in left] == [
        Check.EXACT,
        Check.SOURCE_DELETED,
        Check.EXACT,
        Check.EXACT,
        Check.SOURCE_DELETED,
    ]
    for gone in (left[1], left[4]):
        assert (gone.quote, gone.filename, gone.version_id, gone.document_id) == ("", "", "", "two")
        assert (gone.page_number, gone.start_offset, gone.end_offset) == (0, 0, 0)
    assert erase_documents(text, left, {"two"}) == (text, left)
    assert erase_documents(text, left, {"four"}) == (text, left)


def test_erasing_all_documents_one_by_one_is_erasing_them_at_once():
    answer = "A is so [1]. B is not [2][1]. C [3]"
    given = [cite(answer, "A is", 1, "one"), cite(answer, "B is", 2, "two"), cite(answer, "B is", 1, "one")]
    given.append(cite(answer, "C", 3, "three"))
    at_once = erase_documents(answer, given, {"one", "two", "three"})
    text, left = answer, tuple(given)
    for document_id in ("two", "three", "one"):
        text, left = erase_documents(text, left, {document_id})
    assert (text, left) == at_once
    assert text == f"{ERASED} [1]. {ERASED} [2][1]. {ERASED} [3]"


@pytest.mark.parametrize("answer", ["[1]", " [1]", "[1][1]"])
def test_a_marker_alone_has_nothing_to_lose_but_its_citation(answer):
    given = [Citation(1, "quote", Check.UNSUPPORTED, 0, len(answer), "one")]
    text, (left,) = erase_documents(answer, given, {"one"})
    assert text == answer
    assert (left.check, left.quote, left.answer_end) == (Check.SOURCE_DELETED, "", len(answer))


def erase_request(owner, document_id):
    return source_service_pb2.EraseQuotesRequest(tenant_id=owner.tenant_id, document_id=document_id)


async def ask(service, peers):
    return (await peers.collect(service.ask(peers.request())))[-1].completed.conversation_id


async def test_a_deleted_document_leaves_tombstones_and_no_text(start, peers, owner, database):
    service = await start()
    conversations = [await ask(service, peers) for _ in range(3)]
    erased = await service.sources.EraseQuotes(erase_request(owner, peers.DOCUMENT))
    assert erased.erased_count == 3
    for conversation_id in conversations:
        question, answer = await peers.messages_of(service, conversation_id)
        (citation,) = answer.citations
        assert question.text == "What is a trace tree?"
        assert answer.text == f"{ERASED} [1]"
        assert citation.check == citation.SOURCE_DELETED
        assert citation.document_id == peers.DOCUMENT
        assert not any((citation.quote, citation.filename, citation.version_id, citation.end_offset))
        assert answer.text[citation.answer_start : citation.answer_end] == answer.text
    async with database.transaction(tenant_id=owner.tenant_id, user_id=owner.user_id) as connection:
        for table in ("messages", "citations"):
            found = await connection.execute(
                sql(f"SELECT count(*) FROM chat.{table} t WHERE t::text ~ 'share one|a.pdf'")
            )
            assert found.scalar_one() == 0
    assert (await service.sources.EraseQuotes(erase_request(owner, peers.DOCUMENT))).erased_count == 0


async def test_more_answers_than_one_batch_are_erased(start, peers, owner, monkeypatch):
    monkeypatch.setattr("chat.stores.quotes.BATCH", 2)
    service = await start()
    for _ in range(5):
        await ask(service, peers)
    assert (await service.sources.EraseQuotes(erase_request(owner, peers.DOCUMENT))).erased_count == 5


async def test_answers_of_another_tenant_and_of_other_documents_stay(start, peers, owner, tokens):
    service = await start()
    conversation_id = await ask(service, peers)
    other = source_service_pb2.EraseQuotesRequest(
        tenant_id="99999999-9999-4999-8999-999999999999", document_id=peers.DOCUMENT
    )
    assert (await service.sources.EraseQuotes(other)).erased_count == 0
    assert (await service.sources.EraseQuotes(erase_request(owner, peers.VERSION))).erased_count == 0
    answer = (await peers.messages_of(service, conversation_id))[1]
    assert answer.citations[0].quote == QUOTE


async def test_only_services_may_erase(start, peers, owner):
    service = await start()
    error = await peers.error_of(service.users_sources.EraseQuotes(erase_request(owner, peers.DOCUMENT)))
    assert error.code is Code.PERMISSION_DENIED


class PausingProvider:
    name, model = "pausing", "pausing-1"

    def __init__(self):
        self.may_end = asyncio.Event()

    async def write(self, prompt, sink):
        await sink.put(ProviderQuote(1, QUOTE))
        await self.may_end.wait()
        return ProviderFinish(FinishReason.STOP)


async def test_an_answer_that_is_being_written_stores_nothing_of_a_document_deleted_meanwhile(start, peers, owner):
    provider = PausingProvider()
    service = await start(provider)
    call = service.ask(peers.request())
    events = [await call.read() for _ in range(4)]
    assert events[-1].citation.quote == QUOTE
    await service.sources.EraseQuotes(erase_request(owner, peers.DOCUMENT))
    provider.may_end.set()
    await peers.collect(call)
    answer = (await peers.messages_of(service, events[0].started.conversation_id))[1]
    assert answer.state == conversation_pb2.Message.COMPLETE
    assert [(each.check, each.quote) for each in answer.citations] == [(answer.citations[0].SOURCE_DELETED, "")]
    assert "share one anchor" not in str(answer)


async def test_erasing_and_storing_at_once_leave_no_quote(start, peers, owner):
    service = await start()
    await asyncio.gather(
        *[ask(service, peers) for _ in range(10)],
        *[service.sources.EraseQuotes(erase_request(owner, peers.DOCUMENT)) for _ in range(5)],
    )
    listed = conversation_service_pb2.ListConversationsRequest()
    conversations = (await service.conversations.ListConversations(listed)).conversations
    assert len(conversations) == 10
    for conversation in conversations:
        answer = (await peers.messages_of(service, conversation.conversation_id))[1]
        assert "share one anchor" not in str(answer)
