import asyncio
from contextlib import suppress

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
from chat.turn.persist import HeldTurns, sweep_stale_turns
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.repeating import repeat

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


class FakeProgress:
    count = 0

    async def count_in_progress(self, *, document_ids, collection_ids):
        return self.count


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
    def make(*script, search=None, canonical=None, pause=0.0, **limits):
        make.turns = HeldTurns(conversations)
        make.provider = FakeProvider(*script, pause=pause)
        make.search = search or FakeSearch(make_passage(TEXT))
        return AnswerQuestion(
            search=make.search,
            canonical=canonical or FakeText(),
            progress=FakeProgress(),
            provider=make.provider,
            turns=make.turns,
            count_tokens=lambda text: len(text.split()),
            limits=TurnLimits(answer=AnswerBounds(**limits)),
        )

    return make


async def collect(turn, question):
    events = []

    async def send(event):
        events.append(event)

    await turn.answer(question, send)
    return events


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


async def test_an_answer_that_cannot_be_stored_is_not_called_complete(
    make_turn, make_question, conversations, monkeypatch
):
    monkeypatch.setattr("chat.turn.persist.PERSIST_SECONDS", 0.05)
    conversations.failure = DependencyUnavailable("postgresql")
    turn = make_turn(ProviderText("x"), STOP)
    events = await collect(turn, make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"
    # It is stored all the same when the database is back.
    await make_turn.turns.renew()
    assert conversations.renewed == [("message",)]
    conversations.failure = None
    await make_turn.turns.settle(5)
    assert (conversations.outcomes[0].state, conversations.outcomes[0].text) == (MessageState.COMPLETE, "x")


async def test_an_answer_waits_for_a_database_that_comes_back(make_turn, make_question, conversations):
    store, failures = conversations.finish_turn, [DependencyUnavailable("postgresql")] * 3

    async def fail_at_first(turn, outcome):
        if failures:
            raise failures.pop()
        await store(turn, outcome)

    conversations.finish_turn = fail_at_first
    events = await collect(make_turn(ProviderText("x"), STOP), make_question("What?"))
    assert isinstance(events[-1], Completed)
    assert conversations.outcomes[0].text == "x"


async def test_what_trying_again_cannot_change_is_not_tried_again(make_turn, make_question, conversations):
    conversations.failure = AppError(Code.INVALID_ARGUMENT, "INVALID_FIELD", "x")
    events = await collect(make_turn(ProviderText("x"), STOP), make_question("What?"))
    assert events[-1].reason == "INVALID_FIELD"
    await make_turn.turns.settle(0)
    await make_turn.turns.renew()
    assert conversations.renewed == []


async def test_a_store_that_hangs_does_not_hold_the_answer_and_is_given_up(
    make_turn, make_question, conversations, monkeypatch
):
    monkeypatch.setattr("chat.turn.persist.PERSIST_SECONDS", 0.05)
    monkeypatch.setattr("chat.turn.persist.KEEP_TRYING_SECONDS", 0.2)

    async def hang(turn, outcome):
        await asyncio.sleep(60)

    conversations.finish_turn = hang
    events = await collect(make_turn(ProviderText("x"), STOP), make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"
    await asyncio.wait_for(make_turn.turns.settle(60), 5)


class Reader:
    """Takes events; leaves, or is told to stop, after some texts."""

    def __init__(self, texts):
        self.texts, self.events, self.has_enough = texts, [], asyncio.Event()

    async def send(self, event):
        self.events.append(event)
        if sum(isinstance(each, TextDelta) for each in self.events) == self.texts:
            self.has_enough.set()
            await asyncio.sleep(60)


async def stop_after(turn, question, texts):
    reader = Reader(texts)
    task = asyncio.create_task(turn.answer(question, reader.send))
    await asyncio.wait_for(reader.has_enough.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return reader.events


async def test_a_client_that_goes_closes_the_provider_and_leaves_what_was_sent(make_turn, make_question, conversations):
    turn = make_turn(*[ProviderText(f"w{number} ") for number in range(100)], STOP)
    events = await stop_after(turn, make_question("What?"), 5)
    assert make_turn.provider.closed
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text) == (MessageState.CANCELLED, visible(events))
    assert outcome.usage.output_tokens == 5


class SlowText(FakeText):
    def __init__(self):
        self.is_asked = asyncio.Event()

    async def read(self, passage):
        self.is_asked.set()
        await asyncio.sleep(60)


async def test_a_stop_while_a_citation_is_checked_stores_neither_marker_nor_citation(
    make_turn, make_question, conversations
):
    canonical = SlowText()
    turn = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), STOP, canonical=canonical)
    task = asyncio.create_task(collect(turn, make_question("What?")))
    await asyncio.wait_for(canonical.is_asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (outcome,) = conversations.outcomes
    assert (outcome.text, outcome.citations) == ("A trace tree is a set of traces ", ())


async def test_a_stop_after_a_marker_stores_it_with_its_citation(make_turn, make_question, conversations):
    turn = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), STOP)
    events = await stop_after(turn, make_question("What?"), 2)
    assert visible(events) == "A trace tree is a set of traces [1]"
    (outcome,) = conversations.outcomes
    assert outcome.text == visible(events)
    assert [citation.check for citation in outcome.citations] == [Check.EXACT]


async def test_a_stop_waits_until_the_answers_it_cut_off_are_stored(make_turn, make_question, conversations):
    store, may_store = conversations.finish_turn, asyncio.Event()

    async def store_slowly(turn, outcome):
        await may_store.wait()
        await store(turn, outcome)

    conversations.finish_turn = store_slowly
    turn, reader = make_turn(*[ProviderText("w ")] * 1000, STOP), Reader(3)
    task = asyncio.create_task(turn.answer(make_question("What?"), reader.send))
    await reader.has_enough.wait()
    task.cancel()
    await make_turn.turns.settle(0.01)
    assert conversations.outcomes == []
    may_store.set()
    await make_turn.turns.settle(5)
    assert conversations.outcomes[0].state is MessageState.CANCELLED
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_turns_are_alive_while_they_are_written_and_no_longer(make_turn, make_question, conversations):
    turn, reader = make_turn(*[ProviderText("w ")] * 9, STOP), Reader(3)
    task = asyncio.create_task(turn.answer(make_question("What?"), reader.send))
    await reader.has_enough.wait()
    await make_turn.turns.renew()
    assert conversations.renewed == [("message",)]
    task.cancel()
    await make_turn.turns.settle(5)
    await make_turn.turns.renew()
    assert len(conversations.renewed) == 1


async def test_a_reader_that_waits_makes_the_provider_wait(make_turn, make_question):
    turn = make_turn(*[ProviderText("w ") for _ in range(1000)], STOP)
    await stop_after(turn, make_question("What?"), 3)
    assert make_turn.provider.pulled == 3


async def test_a_reader_may_take_longer_than_the_provider_may(make_turn, make_question, conversations):
    turn = make_turn(*[ProviderText("w ") for _ in range(5)], STOP, pause=0.001, seconds=0.2)

    async def send(event):
        await asyncio.sleep(0.1)

    await turn.answer(make_question("What?"), send)
    assert conversations.outcomes[0].state is MessageState.COMPLETE


@pytest.mark.parametrize("kind", [Sources, TextDelta, Citation, Usage])
async def test_an_event_that_cannot_be_sent_ends_the_answer_with_an_error(
    make_turn, make_question, conversations, kind
):
    turn, sent = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), STOP), []

    async def send(event):
        if isinstance(event, kind):
            raise ValueError("SECRET")  # noqa: TRY004 - what protobuf raises
        sent.append(event)

    await turn.answer(make_question("What?"), send)
    assert sent[-1] == Failed("INTERNAL", "INTERNAL_ERROR", "Something went wrong on our side; ask again.")
    assert conversations.outcomes[0].state is MessageState.FAILED


async def test_no_answer_says_how_many_documents_are_on_their_way(make_turn, make_question, conversations, monkeypatch):
    monkeypatch.setattr(FakeProgress, "count", 3)
    for question, no, text in (
        ("What?", "The documents do not answer this question.", "still being processed: 3."),
        ("چیست؟", "در سندها پاسخی برای این پرسش نیست.", "در دست پردازش‌اند: 3."),
    ):
        events = await collect(make_turn(ProviderText(no), STOP), make_question(question))
        assert visible(events).startswith(no)
        assert text in visible(events)
        assert (events[-1].finish_reason, events[-1].documents_in_progress) == (FinishReason.NO_ANSWER, 3)
    assert conversations.outcomes[0].text.endswith("Ask again when they are ready.")


async def test_an_answer_says_nothing_of_documents_on_their_way(make_turn, make_question, monkeypatch):
    monkeypatch.setattr(FakeProgress, "count", 3)
    events = await collect(make_turn(ProviderText("It is so."), STOP), make_question("What?"))
    assert (visible(events), events[-1].documents_in_progress) == ("It is so.", 0)


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
    work = repeat("sweep", lambda: sweep_stale_turns(conversations), every_seconds=0.001)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, 0.1)
    assert conversations.sweeps > 1
