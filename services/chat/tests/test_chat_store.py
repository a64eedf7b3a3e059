import logging
from asyncio import selector_events
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from chat.errors import ConversationNotFound
from chat.model import (
    Check,
    Citation,
    Exchange,
    FinishReason,
    MessageRole,
    MessageState,
    TurnOutcome,
    Usage,
)
from chat.stores.conversations import PostgresConversations, shorten

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
TABLES = text(
    "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_catalog.pg_class "
    "WHERE relnamespace = 'chat'::regnamespace AND relkind IN ('r', 'p')"
)


@pytest.fixture
def store(database):
    return PostgresConversations(database)


async def begin(store, question, limit=6):
    return await store.begin_turn(question, history_limit=limit)


async def test_a_turn_is_stored_and_read_back(store, make_question, owner):
    turn = await begin(store, make_question("What is it?"))
    await store.finish_turn(turn, OUTCOME)
    asked, answered = await store.list_messages(owner, turn.conversation_id, limit=10, after=0)
    assert (asked.role, asked.state, asked.text, asked.usage) == (
        MessageRole.USER,
        MessageState.COMPLETE,
        "What is it?",
        None,
    )
    assert (answered.message_id, answered.text, answered.citations) == (turn.message_id, "An answer [1].", (CITATION,))
    assert (answered.usage, answered.provider, answered.model) == (Usage(3, 4, True), "fake", "fake-1")
    assert (answered.latency_ms, answered.time_to_first_token_ms) == (120, 30)


async def test_an_answer_that_has_ended_is_not_ended_again(store, make_question, owner):
    turn = await begin(store, make_question("What?"))
    await store.finish_turn(turn, OUTCOME)
    await store.finish_turn(turn, replace(OUTCOME, state=MessageState.CANCELLED, text="other"))
    messages = await store.list_messages(owner, turn.conversation_id, limit=10, after=0)
    assert messages[1].state is MessageState.COMPLETE


async def test_beginning_and_ending_a_turn_take_three_round_trips_each(store, make_question, monkeypatch):
    await store.finish_turn(await begin(store, make_question("First?")), OUTCOME)
    sent = []
    real = selector_events._SelectorSocketTransport.write
    monkeypatch.setattr(
        selector_events._SelectorSocketTransport, "write", lambda self, data: (sent.append(data), real(self, data))
    )
    turn = await begin(store, make_question("Second?"))
    assert len(sent) == 3
    await store.finish_turn(turn, OUTCOME)
    assert len(sent) == 6


async def test_what_begins_and_ends_a_turn_is_compiled_once(store, make_question, caplog):
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine.Engine"):
        for _ in range(2):
            turn = await begin(store, make_question("New?"))
            await store.finish_turn(turn, OUTCOME)
            await begin(store, make_question("On?", conversation_id=turn.conversation_id))
    assert caplog.text.count("[cached since ") >= 3  # as SQLAlchemy says of a statement that it has compiled before
    assert "[no key " not in caplog.text


async def test_history_holds_the_last_answered_turns_oldest_first(store, make_question):
    turn = await begin(store, make_question("One?"))
    await store.finish_turn(turn, replace(OUTCOME, text="1"))
    for number, state in (("Two?", MessageState.CANCELLED), ("Three?", MessageState.FAILED), ("Four?", None)):
        later = await begin(store, make_question(number, conversation_id=turn.conversation_id))
        if state:
            await store.finish_turn(later, replace(OUTCOME, state=state, text=number, finish_reason=None))
    last = await begin(store, make_question("Five?", conversation_id=turn.conversation_id))
    assert last.history == (Exchange("One?", "1"), Exchange("Two?", "Two?"))
    assert (await begin(store, make_question("Six?", conversation_id=turn.conversation_id), 1)).history == (
        Exchange("Two?", "Two?"),
    )


@pytest.mark.parametrize("other", ["tenant_id", "user_id"])
async def test_someone_elses_conversation_looks_like_a_missing_one(store, make_question, owner, other):
    stranger = replace(owner, **{other: str(uuid4())})
    turn = await begin(store, make_question("Mine?"))
    foreign = replace(make_question("Theirs?", conversation_id=turn.conversation_id), owner=stranger)
    for attempt in (
        begin(store, foreign),
        store.get(stranger, turn.conversation_id),
        store.delete(stranger, turn.conversation_id),
        store.list_messages(stranger, turn.conversation_id, limit=10, after=0),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    assert await store.list_page(stranger, limit=10, after=None) == ()
    await store.finish_turn(replace(turn, owner=stranger), OUTCOME)
    messages = await store.list_messages(turn.owner, turn.conversation_id, limit=10, after=0)
    assert messages[1].state is MessageState.STREAMING


async def test_pages_follow_each_other_without_gaps(store, make_question, owner):
    made = [(await begin(store, make_question(f"Question {number}?"))).conversation_id for number in range(5)]
    seen, after = [], None
    while page := await store.list_page(owner, limit=2, after=after):
        seen += [row.conversation_id for row in page]
        after = (page[-1].update_time, page[-1].conversation_id)
    assert seen == made[::-1]


async def test_the_last_used_conversation_comes_first(store, make_question, owner):
    first = await begin(store, make_question("First?"))
    await begin(store, make_question("Second?"))
    await begin(store, make_question("More?", conversation_id=first.conversation_id))
    assert (await store.list_page(owner, limit=1, after=None))[0].conversation_id == first.conversation_id


async def test_deleting_takes_messages_and_citations_along(store, make_question, owner, database):
    turn = await begin(store, make_question("What?"))
    await store.finish_turn(turn, OUTCOME)
    await store.delete(owner, turn.conversation_id)
    with pytest.raises(ConversationNotFound):
        await store.get(owner, turn.conversation_id)
    async with database.transaction(tenant_id=owner.tenant_id, user_id=owner.user_id) as connection:
        for table in ("messages", "citations"):
            assert (await connection.execute(text(f"SELECT count(*) FROM chat.{table}"))).scalar_one() == 0


async def test_without_settings_every_table_of_the_schema_is_empty(store, make_question, database):
    turn = await begin(store, make_question("What?"))
    await store.finish_turn(turn, OUTCOME)
    async with database.transaction() as connection:
        tables = (await connection.execute(TABLES)).all()
        assert {"conversations", "messages", "citations", "erased_documents"} <= {row.relname for row in tables}
        for row in tables:
            assert (row.relrowsecurity, row.relforcerowsecurity) == (True, True), row.relname
            count = await connection.execute(text(f"SELECT count(*) FROM chat.{row.relname}"))
            assert count.scalar_one() == 0, row.relname


async def test_a_tenant_alone_opens_nothing(store, make_question, database, owner):
    await begin(store, make_question("What?"))
    async with database.transaction(tenant_id=owner.tenant_id) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM chat.messages"))).scalar_one() == 0


async def test_the_application_role_can_neither_own_nor_bypass(database):
    query = text("SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user")
    owned = text("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
    async with database.transaction() as connection:
        assert (await connection.execute(query)).scalar_one() is False
        assert (await connection.execute(owned)).scalar_one() == 0


async def test_characters_that_postgresql_cannot_keep_do_not_fail_a_turn(store, make_question, owner):
    turn = await begin(store, make_question("Wh\x00at?"))
    await store.finish_turn(turn, replace(OUTCOME, text="a\x00b", citations=(replace(CITATION, quote="q\x00"),)))
    messages = await store.list_messages(owner, turn.conversation_id, limit=10, after=0)
    assert [message.text for message in messages] == ["What?", "ab"]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What?", "What?"),
        ("  a\n b ", "a b"),
        ("word " * 40, ("word " * 15).strip() + "…"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_title_is_one_short_line(question, title):
    assert shorten(question) == title
    assert len(shorten(question)) <= 80
