"""Answers without end: who keeps them alive, who gives them up, and a database that is away when they end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import make_url

from chat.model import (
    Check,
    Citation,
    FinishReason,
    MessageState,
    TurnOutcome,
    Usage,
)
from chat.stores.conversations import PostgresConversations
from chat.turn.persist import HeldTurns
from servicekit.database import Database

CITATION = Citation(1, "a quote", Check.EXACT, 0, 9, "d", "v", "f.pdf", 3, 10, 17)
OUTCOME = TurnOutcome(
    MessageState.COMPLETE,
    "An answer [1].",
    (CITATION,),
    Usage(3, 4, True),
    "fake",
    "fake-1",
    120,
    30,
    FinishReason.STOP,
)


@pytest.fixture
def store(database):
    return PostgresConversations(database)


async def begin(store, question):
    return await store.begin_turn(question, history_limit=6)


@pytest.fixture
async def own_database(service_database):
    """A database of its own: the sweep sees everyone's answers."""
    return (await service_database("chat")).database


async def test_the_sweep_fails_unfinished_answers_whose_lease_ran_out_and_no_others(own_database, make_question, owner):
    store, crashed = PostgresConversations(own_database), PostgresConversations(own_database, lease=timedelta(0))
    lost, fresh = await begin(crashed, make_question("Lost?")), await begin(store, make_question("Fresh?"))
    done = await begin(crashed, make_question("Done?"))
    await store.finish_turn(done, OUTCOME)
    assert await store.fail_stale_turns() == 1
    assert await store.fail_stale_turns() == 0
    states = [(await answer_of(store, owner, turn)).state for turn in (lost, fresh, done)]
    assert states == [MessageState.FAILED, MessageState.STREAMING, MessageState.COMPLETE]


async def answer_of(store, owner, turn):
    return (await store.list_messages(owner, turn.conversation_id, limit=10, after=0))[1]


async def test_an_answer_that_its_process_keeps_alive_is_not_swept_however_old_it_is(
    own_database, make_question, owner
):
    store, short = PostgresConversations(own_database), PostgresConversations(own_database, lease=timedelta(0))
    turn, other = await begin(short, make_question("Long?")), await begin(short, make_question("Lost?"))
    await store.renew_leases((turn.message_id,))
    assert await store.fail_stale_turns() == 1
    assert (await answer_of(store, owner, turn)).state is MessageState.STREAMING
    assert (await answer_of(store, owner, other)).state is MessageState.FAILED


async def test_an_answer_that_the_sweep_gave_up_too_early_is_stored_when_it_ends(own_database, make_question, owner):
    store = PostgresConversations(own_database, lease=timedelta(0))
    turn = await begin(store, make_question("Frozen?"))
    await store.fail_stale_turns()
    await store.finish_turn(turn, OUTCOME)
    answer = await answer_of(store, owner, turn)
    assert (answer.state, answer.text, answer.citations) == (MessageState.COMPLETE, "An answer [1].", (CITATION,))


async def test_an_answer_that_ended_as_failed_stays_so(store, make_question, owner):
    turn = await begin(store, make_question("What?"))
    await store.finish_turn(turn, replace(OUTCOME, state=MessageState.FAILED, finish_reason=None))
    await store.finish_turn(turn, replace(OUTCOME, citations=()))
    assert (await answer_of(store, owner, turn)).state is MessageState.FAILED


class Relay:
    """Stands between the store and PostgreSQL; stopping it is PostgreSQL being away."""

    def __init__(self, socket):
        self.socket, self.port, self.server, self.tasks = socket, 0, None, set()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        theirs, ours = await asyncio.open_unix_connection(self.socket)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.copy(reader, ours))
                group.create_task(self.copy(theirs, writer))
        finally:
            writer.transport.abort()
            ours.transport.abort()

    async def copy(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


async def test_an_answer_that_ends_while_the_database_is_away_is_stored_when_it_is_back(
    service_database, make_question, owner
):
    own = await service_database("chat")
    url = make_url(own.url)
    relay = Relay(f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}")
    await relay.start()
    away = Database.connect(
        url.set(host="127.0.0.1", port=relay.port, query={}).render_as_string(hide_password=False), name="test"
    )
    attempts, store = asyncio.Queue(), PostgresConversations(away)
    finish = store.finish_turn

    async def finish_and_tell(turn, outcome):
        attempts.put_nowait(turn)
        await finish(turn, outcome)

    store.finish_turn = finish_and_tell
    turns = HeldTurns(store)
    async with turns.open(make_question("What?"), history_limit=6) as turn:
        await relay.stop()
        persisting = asyncio.create_task(turns.persist(turn, OUTCOME))
        for _ in range(3):
            await asyncio.wait_for(attempts.get(), 5)
        await relay.start()
        await persisting
    assert (await answer_of(PostgresConversations(own.database), owner, turn)).text == "An answer [1]."
    await away.close()
    await relay.stop()
