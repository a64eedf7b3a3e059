import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from chat.errors import ConversationNotFound, EmptyQuestion, ProviderUnavailable, RetrievalUnavailable
from chat.model import (
    Check,
    Citation,
    Completed,
    Exchange,
    Failed,
    FinishReason,
    MessageState,
    ProviderFinish,
    ProviderQuote,
    ProviderText,
    Sources,
    Started,
    TextDelta,
    Usage,
)
from chat.turn.answer_question import AnswerQuestion, TurnLimits
from chat.turn.generate import AnswerBounds
from chat.turn.persist import sweep_stale_turns
from servicekit.errors import AppError, Code, DependencyUnavailable

TEXT = "A trace tree is a set of traces. Other words stand here."


class FakeSearch:
    def __init__(self, *passages):
        self.passages, self.queries = passages, []

    async def search(self, query, *, top_k, document_ids, collection_ids):
        self.queries.append((query, top_k, document_ids, collection_ids))
        if not self.passages:
            raise RetrievalUnavailable
        return self.passages


class FakeText:
    async def read(self, passage):
        return passage.text


class FakeProvider:
    name, model = "fake", "fake-1"

    def __init__(self, *script, pause=0.0):
        self.script, self.pause = script, pause
        self.closed, self.prompts, self.pulled = False, [], 0

    async def stream(self, prompt):
        self.prompts.append(prompt)
        try:
            for part in self.script:
                await asyncio.sleep(self.pause)
                if isinstance(part, BaseException):
                    raise part
                self.pulled += 1
                yield part
        finally:
            self.closed = True


@pytest.fixture
def make_turn(conversations, make_passage):
    def make(*script, search=None, pause=0.0, **limits):
        make.provider = FakeProvider(*script, pause=pause)
        make.search = search or FakeSearch(make_passage(TEXT))
        return AnswerQuestion(
            search=make.search,
            canonical=FakeText(),
            provider=make.provider,
            conversations=conversations,
            count_tokens=lambda text: len(text.split()),
            limits=TurnLimits(answer=AnswerBounds(**limits)),
        )

    return make


async def collect(turn, question):
    async with aclosing(turn.answer(question)) as events:
        return [event async for event in events]


def visible(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


STOP = ProviderFinish(FinishReason.STOP)


async def test_events_come_in_their_order(make_turn, make_question, conversations):
    turn = make_turn(
        ProviderText("A trace tree is a set of"), ProviderText(" traces [1"), ProviderText("]. Good."), STOP
    )
    events = await collect(turn, make_question("What is a trace tree?"))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [Started, Sources]
    assert kinds[-2:] == [Usage, Completed]
    assert set(kinds[2:-2]) == {TextDelta, Citation}
    assert visible(events) == "A trace tree is a set of traces [1]. Good."
    citation = next(event for event in events if isinstance(event, Citation))
    assert citation.check is Check.EXACT
    assert TEXT[citation.start_offset - 100 : citation.end_offset - 100] == citation.quote
    before = "".join(event.text for event in events[: events.index(citation)] if isinstance(event, TextDelta))
    assert before[citation.answer_start : citation.answer_end] == "A trace tree is a set of traces [1]"
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text, outcome.citations) == (MessageState.COMPLETE, visible(events), (citation,))
    assert outcome.usage == Usage(make_turn.provider.prompts[0].input_tokens, len(visible(events).split()), False)


async def test_a_providers_own_quotes_and_usage_are_used(make_turn, make_question):
    finish = ProviderFinish(FinishReason.LENGTH, Usage(5, 6, True))
    turn = make_turn(ProviderText("So it is "), ProviderQuote(1, "Other words stand here."), finish)
    events = await collect(turn, make_question("What?"))
    assert visible(events) == "So it is [1]"
    assert events[-2] == Usage(5, 6, True)
    assert events[-1].finish_reason is FinishReason.LENGTH
    assert events[-3].quote == "Other words stand here."


async def test_the_models_own_no_is_no_answer(make_turn, make_question):
    turn = make_turn(ProviderText("The documents do not answer this question."), STOP)
    assert (await collect(turn, make_question("What?")))[-1].finish_reason is FinishReason.NO_ANSWER


@pytest.mark.parametrize("text", ["", "\n\t", "؟!"])
async def test_a_question_without_words_fails_before_anything_is_stored(make_turn, make_question, conversations, text):
    with pytest.raises(EmptyQuestion):
        await collect(make_turn(STOP), make_question(text))
    assert conversations.begun == []


async def test_an_unknown_conversation_fails_before_the_first_event(make_turn, make_question):
    with pytest.raises(ConversationNotFound):
        await collect(make_turn(STOP), make_question("What?", conversation_id="missing"))


async def test_the_search_is_narrowed_as_asked_and_leans_on_history(make_turn, make_question, conversations):
    conversations.history = (Exchange("What is a trace tree?", "A set."),)
    turn = make_turn(STOP)
    await collect(turn, make_question("Who made it first of all?", document_ids=("d",), collection_ids=("c",)))
    assert make_turn.search.queries == [("trace tree Who made it first of all?", 8, ("d",), ("c",))]


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (ProviderUnavailable(), "UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
        (AppError(Code.UNAUTHENTICATED, "TOKEN_EXPIRED", "expired"), "UNAUTHENTICATED", "TOKEN_EXPIRED"),
        (RuntimeError("SECRET"), "INTERNAL", "INTERNAL_ERROR"),
    ],
)
async def test_a_later_failure_is_the_last_event_and_what_was_sent_is_kept(
    make_turn, make_question, conversations, raised, code, reason
):
    events = await collect(make_turn(ProviderText("half an "), ProviderText("answer"), raised), make_question("What?"))
    assert isinstance(events[-1], Failed)
    assert (events[-1].code, events[-1].reason) == (code, reason)
    assert "SECRET" not in events[-1].message
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text, outcome.error_reason) == (MessageState.FAILED, "half an answer", reason)
    assert outcome.usage.output_tokens == 3
    assert make_turn.provider.closed


async def test_retrieval_that_fails_is_an_event_after_started(make_turn, make_question, conversations):
    events = await collect(make_turn(STOP, search=FakeSearch()), make_question("What?"))
    assert [type(event) for event in events] == [Started, Failed]
    assert events[-1].reason == "RETRIEVAL_UNAVAILABLE"
    assert conversations.outcomes[0].state is MessageState.FAILED


async def test_an_answer_that_cannot_be_stored_is_not_called_complete(make_turn, make_question, conversations):
    conversations.failure = DependencyUnavailable("postgresql")
    events = await collect(make_turn(ProviderText("x"), STOP), make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"


async def test_a_store_that_hangs_does_not_hold_the_answer(make_turn, make_question, conversations, monkeypatch):
    monkeypatch.setattr("chat.turn.persist.PERSIST_SECONDS", 0.05)

    async def hang(turn, outcome):
        await asyncio.sleep(60)

    conversations.finish_turn = hang
    events = await collect(make_turn(ProviderText("x"), STOP), make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"


async def test_a_client_that_goes_closes_the_provider_and_leaves_what_was_sent(make_turn, make_question, conversations):
    turn = make_turn(*[ProviderText(f"w{number} ") for number in range(100)], STOP)
    sent = []
    async with aclosing(turn.answer(make_question("What?"))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                sent.append(event.text)
            if len(sent) == 5:
                break
    assert make_turn.provider.closed
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text) == (MessageState.CANCELLED, "".join(sent))
    assert outcome.usage.output_tokens == 5


async def test_a_stop_waits_until_the_answers_it_cut_off_are_stored(make_turn, make_question, conversations):
    store, stored = conversations.finish_turn, asyncio.Event()

    async def store_slowly(turn, outcome):
        await asyncio.sleep(0.1)
        await store(turn, outcome)
        stored.set()

    conversations.finish_turn = store_slowly
    turn = make_turn(*[ProviderText("w ")] * 1000, STOP, pause=0.01)
    task = asyncio.create_task(collect(turn, make_question("What?")))
    await asyncio.sleep(0.05)
    await turn.settle(0.01)
    assert not stored.is_set()
    task.cancel()
    await turn.settle(5)
    assert stored.is_set()
    assert conversations.outcomes[0].state is MessageState.CANCELLED
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_stores_the_same(make_turn, make_question, conversations):
    turn = make_turn(*[ProviderText(f"w{number} ") for number in range(1000)], STOP, pause=0.01)
    sent = []

    async def consume():
        async with aclosing(turn.answer(make_question("What?"))) as events:
            async for event in events:
                sent.append(event)  # noqa: PERF401 - what came before the cancellation counts

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert make_turn.provider.closed
    assert conversations.outcomes[0].text == visible(sent)
    assert conversations.outcomes[0].state is MessageState.CANCELLED


async def test_a_reader_that_waits_makes_the_provider_wait(make_turn, make_question):
    turn = make_turn(*[ProviderText("w ") for _ in range(1000)], STOP)
    async with aclosing(turn.answer(make_question("What?"))) as events:
        for _ in range(5):
            await anext(events)
        await asyncio.sleep(0.05)
        assert make_turn.provider.pulled <= 4


async def test_an_endless_answer_is_cut_and_says_so(make_turn, make_question):
    turn = make_turn(*[ProviderText("0123456789 ") for _ in range(1000)], STOP, characters=105)
    events = await collect(turn, make_question("What?"))
    assert len(visible(events)) == 105
    assert events[-1].finish_reason is FinishReason.LENGTH
    assert make_turn.provider.closed


async def test_an_answer_that_takes_too_long_is_an_error_with_its_part_kept(make_turn, make_question, conversations):
    turn = make_turn(*[ProviderText("w ") for _ in range(1000)], STOP, pause=0.05, seconds=0.2)
    events = await collect(turn, make_question("What?"))
    assert events[-1].reason == "PROVIDER_UNAVAILABLE"
    assert conversations.outcomes[0].text.startswith("w ")


async def test_a_stream_without_an_end_is_an_error(make_turn, make_question):
    assert (await collect(make_turn(ProviderText("x")), make_question("What?")))[-1].reason == "PROVIDER_UNAVAILABLE"


async def test_the_sweep_goes_on_when_the_database_is_away(conversations):
    conversations.failure = DependencyUnavailable("postgresql")
    task = asyncio.create_task(sweep_stale_turns(conversations, older_than=timedelta(seconds=9), every_seconds=0.01))
    await asyncio.sleep(0.05)
    conversations.failure = None
    await asyncio.sleep(0.05)
    task.cancel()
    assert len(conversations.sweeps) > 4
    assert set(conversations.sweeps) == {timedelta(seconds=9)}
