"""How turns end, and what is kept of them."""

import asyncio

import pytest

from chat.model import (
    Check,
    Completed,
    FinishReason,
    MessageState,
    ProviderText,
)
from chat.turn.generate import MOST_AHEAD
from chat.turn.persist import sweep_stale_turns
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.repeating import repeat


async def test_an_answer_that_cannot_be_stored_is_not_called_complete(
    make_turn, make_question, conversations, monkeypatch, turns
):
    monkeypatch.setattr("chat.turn.persist.PERSIST_SECONDS", 0.05)
    conversations.failure = DependencyUnavailable("postgresql")
    turn = make_turn(ProviderText("x"), turns.STOP)
    events = await turns.collect(turn, make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"
    # It is stored all the same when the database is back.
    await make_turn.turns.renew()
    assert conversations.renewed == [("message",)]
    conversations.failure = None
    await make_turn.turns.settle(5)
    assert (conversations.outcomes[0].state, conversations.outcomes[0].text) == (MessageState.COMPLETE, "x")


async def test_an_answer_waits_for_a_database_that_comes_back(make_turn, make_question, conversations, turns):
    store, failures = conversations.finish_turn, [DependencyUnavailable("postgresql")] * 3

    async def fail_at_first(turn, outcome):
        if failures:
            raise failures.pop()
        await store(turn, outcome)

    conversations.finish_turn = fail_at_first
    events = await turns.collect(make_turn(ProviderText("x"), turns.STOP), make_question("What?"))
    assert isinstance(events[-1], Completed)
    assert conversations.outcomes[0].text == "x"


async def test_what_trying_again_cannot_change_is_not_tried_again(make_turn, make_question, conversations, turns):
    conversations.failure = AppError(Code.INVALID_ARGUMENT, "INVALID_FIELD", "x")
    events = await turns.collect(make_turn(ProviderText("x"), turns.STOP), make_question("What?"))
    assert events[-1].reason == "INVALID_FIELD"
    await make_turn.turns.settle(0)
    await make_turn.turns.renew()
    assert conversations.renewed == []


async def test_a_store_that_hangs_does_not_hold_the_answer_and_is_given_up(
    make_turn, make_question, conversations, monkeypatch, turns
):
    monkeypatch.setattr("chat.turn.persist.PERSIST_SECONDS", 0.05)
    monkeypatch.setattr("chat.turn.persist.KEEP_TRYING_SECONDS", 0.2)

    async def hang(turn, outcome):
        await asyncio.sleep(60)

    conversations.finish_turn = hang
    events = await turns.collect(make_turn(ProviderText("x"), turns.STOP), make_question("What?"))
    assert events[-1].reason == "DEPENDENCY_UNAVAILABLE"
    await asyncio.wait_for(make_turn.turns.settle(60), 5)


async def test_a_client_that_goes_closes_the_provider_and_leaves_what_was_sent(
    make_turn, make_question, conversations, turns
):
    turn = make_turn(*[ProviderText(f"w{number} ") for number in range(100)], turns.STOP)
    events = await turns.stop_after(turn, make_question("What?"), 5)
    assert make_turn.provider.closed
    (outcome,) = conversations.outcomes
    assert (outcome.state, outcome.text) == (MessageState.CANCELLED, turns.visible(events))
    assert outcome.usage.output_tokens == 5


async def test_a_stop_while_a_citation_is_checked_stores_neither_marker_nor_citation(
    make_turn, make_question, conversations, turns
):
    canonical = turns.SlowText()
    turn = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), turns.STOP, canonical=canonical)
    task = asyncio.create_task(turns.collect(turn, make_question("What?")))
    await asyncio.wait_for(canonical.is_asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (outcome,) = conversations.outcomes
    assert (outcome.text, outcome.citations) == ("A trace tree is a set of traces ", ())


async def test_a_stop_after_a_marker_stores_it_with_its_citation(make_turn, make_question, conversations, turns):
    turn = make_turn(ProviderText("A trace tree is a set of traces [1]. Good."), turns.STOP)
    events = await turns.stop_after(turn, make_question("What?"), 1)
    assert turns.visible(events) == "A trace tree is a set of traces [1]"
    (outcome,) = conversations.outcomes
    assert outcome.text == turns.visible(events)
    assert [citation.check for citation in outcome.citations] == [Check.EXACT]


async def test_a_stop_waits_until_the_answers_it_cut_off_are_stored(make_turn, make_question, conversations, turns):
    store, may_store = conversations.finish_turn, asyncio.Event()

    async def store_slowly(turn, outcome):
        await may_store.wait()
        await store(turn, outcome)

    conversations.finish_turn = store_slowly
    turn, reader = make_turn(*[ProviderText("w ")] * 1000, turns.STOP), turns.Reader(3)
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


async def test_turns_are_alive_while_they_are_written_and_no_longer(make_turn, make_question, conversations, turns):
    turn, reader = make_turn(*[ProviderText("w ")] * 9, turns.STOP), turns.Reader(3)
    task = asyncio.create_task(turn.answer(make_question("What?"), reader.send))
    await reader.has_enough.wait()
    await make_turn.turns.renew()
    assert conversations.renewed == [("message",)]
    task.cancel()
    await make_turn.turns.settle(5)
    await make_turn.turns.renew()
    assert len(conversations.renewed) == 1


async def test_a_reader_that_waits_makes_the_provider_wait(make_turn, make_question, turns):
    turn, reader = make_turn(*[ProviderText("word ")] * 3_000, turns.STOP), turns.Reader(2)
    task = asyncio.create_task(turn.answer(make_question("What?"), reader.send))
    await reader.has_enough.wait()
    taken = len(turns.visible(reader.events))
    for _ in range(3_000):  # turns of the event loop, in each of which the provider could write on
        await asyncio.sleep(0)
    assert make_turn.provider.pulled * len("word ") == taken + MOST_AHEAD
    task.cancel()


async def test_a_reader_may_take_longer_than_the_provider_may(make_turn, make_question, conversations, turns):
    turn = make_turn(*[ProviderText("w ") for _ in range(5)], turns.STOP, pause=0.001, seconds=0.2)

    async def send(event):
        await asyncio.sleep(0.1)

    await turn.answer(make_question("What?"), send)
    assert conversations.outcomes[0].state is MessageState.COMPLETE


async def test_an_endless_answer_is_cut_and_says_so(make_turn, make_question, turns):
    turn = make_turn(*[ProviderText("0123456789 ") for _ in range(1000)], turns.STOP, characters=105)
    events = await turns.collect(turn, make_question("What?"))
    assert len(turns.visible(events)) == 105
    assert events[-1].finish_reason is FinishReason.LENGTH
    assert make_turn.provider.closed


async def test_an_answer_that_takes_too_long_is_an_error_with_its_part_kept(
    make_turn, make_question, conversations, turns
):
    turn = make_turn(*[ProviderText("w ") for _ in range(1000)], turns.STOP, pause=0.05, seconds=0.2)
    events = await turns.collect(turn, make_question("What?"))
    assert events[-1].reason == "PROVIDER_UNAVAILABLE"
    assert conversations.outcomes[0].text.startswith("w ")


async def test_the_sweep_goes_on_when_the_database_is_away(conversations):
    conversations.failure = DependencyUnavailable("postgresql")
    work = repeat("sweep", lambda: sweep_stale_turns(conversations), every_seconds=0.001)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, 0.1)
    assert conversations.sweeps > 1
