"""What an answer may take of its tenant's plan: set aside before a model is called, reported until it is counted."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import grpc
import pytest

from chat.convert import to_owner
from chat.model import Completed, Failed, FinishReason, ProviderFinish, ProviderText, Question, Usage
from chat.stores.rows import usage_row
from chat.stores.tables import SCHEMA
from docuchat.chat.v1 import chat_service_pb2
from servicekit.errors import AppError
from servicekit.identity import Principal, Role
from servicekit.metering.outbox import UsageOutbox, read_entry
from servicekit.rpc.status import read_error

FINISH = ProviderFinish(FinishReason.STOP, Usage(300, 40, reported_by_provider=True, cached_tokens=200))
SCRIPT = (ProviderText("A trace tree is a set of traces."), FINISH)


async def collect(answerer, owner):
    events = []

    async def send(event):
        events.append(event)

    await answerer.answer(Question(owner, "What is a trace tree?", ""), send)
    return events


async def test_nothing_is_stored_and_no_model_called_where_the_plan_has_nothing_left(
    make_turn, turns, owner, conversations
):
    answerer = make_turn(*SCRIPT, meter=turns.FakeMeter(left=100))
    with pytest.raises(AppError) as raised:
        await collect(answerer, owner)
    assert raised.value.reason == "QUOTA_EXCEEDED"
    assert (make_turn.provider.prompts, conversations.begun) == ([], [])


async def test_near_the_end_of_a_plan_an_answer_takes_what_its_prompt_needs(make_turn, turns, owner):
    answerer = make_turn(*SCRIPT, meter=turns.FakeMeter(left=5_000))
    events = await collect(answerer, owner)
    assert type(events[-1]).__name__ == "Completed"
    (held,) = make_turn.meter.reserved.values()
    assert 1_000 < held < 5_000


async def test_a_prompt_that_does_not_fit_any_more_reaches_no_model(make_turn, turns, owner, conversations):
    answerer = make_turn(*SCRIPT, meter=turns.FakeMeter(left=600))
    events = await collect(answerer, owner)
    assert isinstance(events[-1], Failed)
    assert events[-1].reason == "QUOTA_EXCEEDED"
    assert make_turn.provider.prompts == []
    (outcome,) = conversations.outcomes
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (0, 0)


async def test_answers_at_once_never_set_aside_more_than_the_plan_has(make_turn, turns, owner):
    answerer = make_turn(*SCRIPT, meter=turns.FakeMeter(left=30_000))
    answers = await asyncio.gather(*(collect(answerer, owner) for _ in range(30)), return_exceptions=True)
    ends = [type(each[-1]) if isinstance(each, list) else type(each) for each in answers]
    assert set(ends) > {Completed}
    assert sum(make_turn.meter.reserved.values()) <= 30_000


class Meter:
    def __init__(self):
        self.entries = []

    async def commit(self, entries):
        self.entries += entries


async def read_reports(database, owner):
    async with database.transaction(tenant_id=owner.tenant_id) as connection:
        rows = await connection.exec_driver_sql("SELECT entry FROM chat.usage_reports")
        return [read_entry(row.entry) for row in rows]


async def test_an_answer_and_the_report_of_its_tokens_are_stored_together(start, turns, database, owner):
    chat = await start(turns.FakeProvider(*SCRIPT))
    async for _ in chat.ask(chat_service_pb2.AskRequest(question="What is a trace tree?")):
        pass
    (entry,) = await read_reports(database, owner)
    assert (entry.user_id, entry.provider, entry.model, entry.kind) == (owner.user_id, "fake", "fake-1", "ANSWER")
    assert (entry.input_tokens, entry.output_tokens, entry.cached_tokens) == (300, 40, 200)
    assert sum(chat.meter.reserved.values()) >= 340
    meter = Meter()
    await UsageOutbox(SCHEMA, database).send(meter)
    assert entry in meter.entries
    assert await read_reports(database, owner) == []


async def test_an_answer_by_an_api_key_is_reported_as_that_keys(make_turn, turns, conversations):
    principal = Principal(str(uuid4()), str(uuid4()), Role.MEMBER, "s", datetime.now(UTC), "", api_key_id=str(uuid4()))
    owner = to_owner(principal)
    await collect(make_turn(*SCRIPT, meter=turns.FakeMeter(left=30_000)), owner)
    (outcome,) = conversations.outcomes
    entry = read_entry(usage_row(owner, outcome)["usage"])
    assert (entry.user_id, entry.api_key_id) == (principal.subject, principal.api_key_id)


async def test_whoever_is_over_quota_is_told_so_by_a_status(start, turns, owner):
    chat = await start(turns.FakeProvider(*SCRIPT))
    chat.meter.left = 0
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async for _ in chat.ask(chat_service_pb2.AskRequest(question="What is a trace tree?")):
            pass
    error = read_error(raised.value)
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")


async def test_what_an_answer_held_goes_back_once_it_is_counted_and_a_lease_that_nobody_draws_with_it(
    make_turn, turns, owner
):
    answerer = make_turn(*SCRIPT)
    reserve, meter = answerer.reserve, make_turn.meter
    await collect(answerer, owner)
    ended = reserve.note_ended()
    before = sum(meter.reserved.values())
    await collect(answerer, owner)
    await reserve.settle(ended)
    assert 0 < sum(meter.reserved.values()) < before, "the second answer has ended too, but is not counted yet"
    for _ in range(2):
        await reserve.settle(reserve.note_ended())
    assert sum(meter.reserved.values()) == 0
    await collect(answerer, owner)
    assert sum(meter.reserved.values()) > 0


async def test_many_answers_at_once_are_one_call_of_auth_or_two(make_turn, turns, owner):
    answerer = make_turn(*SCRIPT)
    await collect(answerer, owner)
    calls = len(make_turn.meter.reserved)
    await asyncio.gather(*(collect(answerer, owner) for _ in range(8)))
    assert len(make_turn.meter.reserved) - calls <= 2
