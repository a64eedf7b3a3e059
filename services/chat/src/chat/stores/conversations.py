"""Conversations in PostgreSQL. Row-level security opens each user's rows and no others."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.errors import ConversationNotFound
from chat.model import (
    Check,
    Citation,
    Conversation,
    Exchange,
    Message,
    MessageState,
    OpenTurn,
    Owner,
    Question,
    TurnOutcome,
)
from chat.stores.quotes import find_erased, name_lock
from chat.stores.rows import (
    citation_row,
    outcome_row,
    owner_row,
    to_citation,
    to_conversation,
    to_message,
    usage_row,
    without_nul,
)
from chat.stores.tables import CITATIONS, CONVERSATIONS, MESSAGES
from chat.stores.turn_statements import BEGIN_CONVERSATION, CONTINUE_CONVERSATION, END_TURN
from chat.turn.clean_text import clean
from chat.turn.erase import erase_documents
from servicekit.database import Database, Lock

TITLE_LENGTH = 80  # characters
LEASE = timedelta(seconds=60)  # longer than a stop may take, in which nothing renews it
ANSWERED = (MessageState.COMPLETE, MessageState.CANCELLED)


class PostgresConversations:
    """The conversations of all users, one user at a time. An answer without end is alive while its lease lasts."""

    def __init__(self, database: Database, *, lease: timedelta = LEASE) -> None:
        self._database = database
        self._lease = lease

    async def begin_turn(self, question: Question, *, history_limit: int) -> OpenTurn:
        """Stores a question and its answer as STREAMING. Raises ConversationNotFound."""
        owner, is_new = question.owner, not question.conversation_id
        conversation_id, message_id = question.conversation_id or str(uuid.uuid4()), str(uuid.uuid4())
        values: dict[str, object] = {
            "new_conversation_id": conversation_id,
            "question_id": str(uuid.uuid4()),
            "question": without_nul(question.text),
            "answer_id": message_id,
            "lease": self._lease,
        }
        if is_new:
            values |= {f"new_{name}": value for name, value in owner_row(owner).items()}
            values["new_title"] = shorten(question.text)
        async with self._as(owner) as connection:
            begun = await connection.execute(BEGIN_CONVERSATION if is_new else CONTINUE_CONVERSATION, values)
            if not begun.rowcount:
                raise ConversationNotFound
            history = () if is_new else await _read_history(connection, conversation_id, history_limit)
        return OpenTurn(owner, conversation_id, message_id, history)

    async def finish_turn(self, turn: OpenTurn, outcome: TurnOutcome) -> None:
        """Stores how an answer ended, without what was erased meanwhile; does nothing to one that has ended.

        One that the sweep gave up is taken back: only its own process ends it for good.
        """
        is_citing = bool(outcome.citations)
        # Until the transaction ends, no further document is erased.
        lock = Lock(name_lock(turn.owner.tenant_id), is_shared=True) if is_citing else None
        async with self._as(turn.owner, lock) as connection:
            is_stored = await _end(connection, turn, outcome)
            if is_citing and not is_stored:
                await _end(connection, turn, await _without_erased(connection, outcome))

    async def renew_leases(self, message_ids: Sequence[str]) -> None:
        """Notes that the process which writes these answers is alive."""
        statement = update(MESSAGES).where(MESSAGES.c.message_id.in_(message_ids), MESSAGES.c.lease_until.is_not(None))
        async with self._database.transaction(scope="sweep") as connection:
            await connection.execute(statement.values(lease_until=func.clock_timestamp() + self._lease))

    async def fail_stale_turns(self) -> int:
        """Marks STREAMING answers FAILED whose lease ran out, and returns how many."""
        is_stale = MESSAGES.c.lease_until < func.clock_timestamp()
        statement = (
            update(MESSAGES)
            .where(MESSAGES.c.state == MessageState.STREAMING, is_stale)
            .values(state=MessageState.FAILED, error_reason="INTERNAL_ERROR")
        )
        async with self._database.transaction(scope="sweep") as connection:
            return int((await connection.execute(statement)).rowcount)

    async def get(self, owner: Owner, conversation_id: str) -> Conversation:
        """Returns one conversation. Raises ConversationNotFound."""
        async with self._as(owner) as connection:
            statement = select(CONVERSATIONS).where(CONVERSATIONS.c.conversation_id == conversation_id)
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise ConversationNotFound
        return to_conversation(row)

    async def list_page(
        self, owner: Owner, *, limit: int, after: tuple[datetime, str] | None
    ) -> tuple[Conversation, ...]:
        """Returns conversations, the last used first, after (update_time, conversation_id)."""
        key = tuple_(CONVERSATIONS.c.update_time, CONVERSATIONS.c.conversation_id)
        statement = select(CONVERSATIONS).order_by(
            CONVERSATIONS.c.update_time.desc(), CONVERSATIONS.c.conversation_id.desc()
        )
        if after:
            time, conversation_id = after
            last = tuple_(literal(time), literal(conversation_id, CONVERSATIONS.c.conversation_id.type))
            statement = statement.where(key < last)
        async with self._as(owner) as connection:
            rows = (await connection.execute(statement.limit(limit))).all()
        return tuple(to_conversation(row) for row in rows)

    async def delete(self, owner: Owner, conversation_id: str) -> None:
        """Removes a conversation and its messages. Raises ConversationNotFound."""
        async with self._as(owner) as connection:
            statement = delete(CONVERSATIONS).where(CONVERSATIONS.c.conversation_id == conversation_id)
            done = await connection.execute(statement)
        if not done.rowcount:
            raise ConversationNotFound

    async def list_messages(self, owner: Owner, conversation_id: str, *, limit: int, after: int) -> tuple[Message, ...]:
        """Returns messages, oldest first, after a position. Raises ConversationNotFound."""
        await self.get(owner, conversation_id)
        statement = (
            select(MESSAGES)
            .where(MESSAGES.c.conversation_id == conversation_id, MESSAGES.c.position > after)
            .order_by(MESSAGES.c.position)
            .limit(limit)
        )
        async with self._as(owner) as connection:
            rows = (await connection.execute(statement)).all()
            citations = await _read_citations(connection, [row.message_id for row in rows])
        return tuple(to_message(row, tuple(citations.get(row.message_id, ()))) for row in rows)

    def _as(self, owner: Owner, lock: Lock | None = None) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._database.transaction(lock, tenant_id=owner.tenant_id, user_id=owner.user_id)


async def _end(connection: AsyncConnection, turn: OpenTurn, outcome: TurnOutcome) -> bool:
    """Stores an outcome; returns whether it did. It does not for a turn that has ended, nor what cites the erased."""
    cited = [citation for citation in outcome.citations if citation.check is not Check.SOURCE_DELETED]
    values: dict[str, object] = {f"new_{name}": value for name, value in outcome_row(outcome).items()}
    values["new_message_id"] = turn.message_id
    values["cited_ids"] = list({citation.document_id for citation in cited})
    values |= usage_row(turn.owner, outcome)
    values["citations"] = [
        {"number": number, **citation_row(citation)} for number, citation in enumerate(outcome.citations)
    ]
    return bool((await connection.execute(END_TURN, values)).rowcount)


async def _without_erased(connection: AsyncConnection, outcome: TurnOutcome) -> TurnOutcome:
    """Returns what may be kept of an answer whose documents were deleted while it was written."""
    erased = await find_erased(connection, {citation.document_id for citation in outcome.citations})
    text, citations = erase_documents(outcome.text, outcome.citations, erased)
    return replace(outcome, text=text, citations=citations)


async def _read_history(connection: AsyncConnection, conversation_id: str, limit: int) -> tuple[Exchange, ...]:
    """Returns the last answered questions, oldest first."""
    question = MESSAGES.alias("question")
    statement = (
        select(question.c.text.label("question"), MESSAGES.c.text.label("answer"))
        .join(question, question.c.message_id == MESSAGES.c.reply_to)
        .where(MESSAGES.c.conversation_id == conversation_id, MESSAGES.c.state.in_(ANSWERED), MESSAGES.c.text != "")
        .order_by(MESSAGES.c.position.desc())
        .limit(limit)
    )
    rows = (await connection.execute(statement)).all()
    return tuple(Exchange(row.question, row.answer) for row in reversed(rows))


async def _read_citations(connection: AsyncConnection, message_ids: Sequence[str]) -> dict[str, list[Citation]]:
    statement = select(CITATIONS).where(CITATIONS.c.message_id.in_(message_ids)).order_by(CITATIONS.c.number)
    found: dict[str, list[Citation]] = {}
    for row in (await connection.execute(statement)).all():
        found.setdefault(row.message_id, []).append(to_citation(row))
    return found


def shorten(question: str) -> str:
    """Returns a question as a title: one line, cut at a word."""
    line = " ".join(clean(question).split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] or cut) + "…"
