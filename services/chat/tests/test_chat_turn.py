import asyncio

import pytest

from chat.errors import ConversationNotFound, EmptyQuestion, ProviderUnavailable
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
from servicekit.errors import AppError, Code


async def test_events_come_in_their_order(make_turn, make_question, conversations, turns):
    turn = make_turn(
        ProviderText("A trace tree is a set of"), ProviderText(" traces [1"), ProviderText("]. Good."), turns.STOP
    )
    events = await turns.collect(turn, make_question("What is a trace tree?"))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [Started, Sources]
    assert kinds[-2:] == [Usage, Completed]
    assert set(kinds[2:-2]) == {TextDelta, Citation}
    assert turns.visible(events) == "A trace tree is a set of traces [1]. Good."
    citation = next(event for event in events if isinstance(event, Citation))
    assert citation.check is Check.EXACT
    assert turns.TEXT[citation.start_offset - 100 : citation.end_offset - 100] == citation.quote
    before = "".join(event.text for event in events[: events.index(citation)] if isinstance(event, TextDelta))
    assert before[citation.answer_start : citation.answer_end] == "A trace tree is a set of traces [1]"
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text, outcome.citations) == (
        MessageState.COMPLETE,
        turns.visible(events),
        (citation,),
    )
    assert outcome.usage == Usage(make_turn.provider.prompts[0].input_tokens, len(turns.visible(events).split()), False)


async def test_a_providers_own_quotes_and_usage_are_used(make_turn, make_question, turns):
    finish = ProviderFinish(FinishReason.LENGTH, Usage(5, 6, True))
    turn = make_turn(ProviderText("So it is "), ProviderQuote(1, "Other words stand here."), finish)
    events = await turns.collect(turn, make_question("What?"))
    assert turns.visible(events) == "So it is [1]"
    assert events[-2] == Usage(5, 6, True)
    assert events[-1].finish_reason is FinishReason.LENGTH
    assert events[-3].quote == "Other words stand here."


async def test_the_models_own_no_is_no_answer(make_turn, make_question, turns):
    turn = make_turn(ProviderText("The documents do not answer this question."), turns.STOP)
    assert (await turns.collect(turn, make_question("What?")))[-1].finish_reason is FinishReason.NO_ANSWER


@pytest.mark.parametrize("text", ["", "\n\t", "؟!"])
async def test_a_question_without_words_fails_before_anything_is_stored(
    make_turn, make_question, conversations, text, turns
):
    with pytest.raises(EmptyQuestion):
        await turns.collect(make_turn(turns.STOP), make_question(text))
    assert conversations.begun == []


async def test_an_unknown_conversation_fails_before_the_first_event(make_turn, make_question, turns):
    with pytest.raises(ConversationNotFound):
        await turns.collect(make_turn(turns.STOP), make_question("What?", conversation_id="missing"))


async def test_the_search_is_narrowed_as_asked_and_leans_on_history(make_turn, make_question, conversations, turns):
    conversations.history = (Exchange("What is a trace tree?", "A set."),)
    turn = make_turn(turns.STOP)
    question = make_question(
        "Who made it first of all?", conversation_id="old", document_ids=("d",), collection_ids=("c",)
    )
    await turns.collect(turn, question)
    assert make_turn.search.queries == [("trace tree Who made it first of all?", 8, ("d",), ("c",))]


async def test_a_question_that_stands_alone_is_searched_for_while_it_is_stored(
    make_turn, make_question, conversations, turns
):
    begin = conversations.begin_turn

    async def begin_turn(question, *, history_limit):
        await asyncio.wait_for(make_turn.search.is_asked.wait(), 5)
        return await begin(question, history_limit=history_limit)

    conversations.begin_turn = begin_turn
    turn = make_turn(turns.STOP)
    for question in (make_question("What is it?"), make_question("What is a trace tree?", conversation_id="old")):
        assert isinstance((await turns.collect(turn, question))[-1], Completed)
        make_turn.search.is_asked.clear()


async def test_what_was_written_during_a_write_is_one_message_and_the_first_text_waits_for_nothing(
    make_turn, make_question, turns
):
    words = [f"w{number} " for number in range(100)]
    turn, events = make_turn(*map(ProviderText, words), turns.STOP), []

    async def send(event):
        events.append(event)
        if isinstance(event, TextDelta) and len(texts()) == 1:
            assert make_turn.provider.pulled == 1
            await make_turn.provider.is_done.wait()

    def texts():
        return [event.text for event in events if isinstance(event, TextDelta)]

    await turn.answer(make_question("What?"), send)
    assert texts() == [words[0], "".join(words[1:])]


async def test_texts_join_and_citations_keep_their_places(make_turn, make_question, turns):
    script = [ProviderText("A trace tree is a set of traces"), ProviderQuote(1, "A trace tree"), ProviderText(" So.")]
    events = await turns.collect(make_turn(*script, turns.STOP), make_question("What?"))
    told = [event for event in events if isinstance(event, TextDelta | Citation)]
    before = ""
    for event in told:
        if isinstance(event, Citation):
            assert before.endswith("[1]")
            assert before[event.answer_start : event.answer_end] == "A trace tree is a set of traces[1]"
        else:
            before += event.text
    assert before == "A trace tree is a set of traces[1] So."


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (ProviderUnavailable(), "UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
        (AppError(Code.UNAUTHENTICATED, "TOKEN_EXPIRED", "expired"), "UNAUTHENTICATED", "TOKEN_EXPIRED"),
        (RuntimeError("SECRET"), "INTERNAL", "INTERNAL_ERROR"),
    ],
)
async def test_a_later_failure_is_the_last_event_and_what_was_sent_is_kept(
    make_turn, make_question, conversations, raised, code, reason, turns
):
    events = await turns.collect(
        make_turn(ProviderText("half an "), ProviderText("answer"), raised), make_question("What?")
    )
    assert isinstance(events[-1], Failed)
    assert (events[-1].code, events[-1].reason) == (code, reason)
    assert "SECRET" not in events[-1].message
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text, outcome.error_reason) == (MessageState.FAILED, "half an answer", reason)
    assert outcome.usage.output_tokens == 3
    assert make_turn.provider.closed


async def test_retrieval_that_fails_is_an_event_after_started(make_turn, make_question, conversations, turns):
    events = await turns.collect(make_turn(turns.STOP, search=turns.FakeSearch()), make_question("What?"))
    assert [type(event) for event in events] == [Started, Failed]
    assert events[-1].reason == "RETRIEVAL_UNAVAILABLE"
    assert conversations.outcomes[0].state is MessageState.FAILED


@pytest.mark.parametrize("kind", [Sources, TextDelta, Citation, Usage])
async def test_an_event_that_cannot_be_sent_ends_the_answer_with_an_error(
    make_turn, make_question, conversations, kind, turns
):
    turn, sent = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), turns.STOP), []

    async def send(event):
        if isinstance(event, kind):
            raise ValueError("SECRET")  # noqa: TRY004 - what protobuf raises
        sent.append(event)

    await turn.answer(make_question("What?"), send)
    assert sent[-1] == Failed("INTERNAL", "INTERNAL_ERROR", "Something went wrong on our side; ask again.")
    assert conversations.outcomes[0].state is MessageState.FAILED


async def test_no_answer_says_how_many_documents_are_on_their_way(
    make_turn, make_question, conversations, monkeypatch, turns
):
    monkeypatch.setattr(turns.FakeProgress, "count", 3)
    for question, no, text in (
        ("What?", "The documents do not answer this question.", "still being processed: 3."),
        ("چیست؟", "در سندها پاسخی برای این پرسش نیست.", "در دست پردازش‌اند: 3."),
    ):
        events = await turns.collect(make_turn(ProviderText(no), turns.STOP), make_question(question))
        assert turns.visible(events).startswith(no)
        assert text in turns.visible(events)
        assert (events[-1].finish_reason, events[-1].documents_in_progress) == (FinishReason.NO_ANSWER, 3)
    assert conversations.outcomes[0].text.endswith("Ask again when they are ready.")


async def test_an_answer_says_nothing_of_documents_on_their_way(make_turn, make_question, monkeypatch, turns):
    monkeypatch.setattr(turns.FakeProgress, "count", 3)
    events = await turns.collect(make_turn(ProviderText("It is so."), turns.STOP), make_question("What?"))
    assert (turns.visible(events), events[-1].documents_in_progress) == ("It is so.", 0)
