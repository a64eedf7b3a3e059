"""How a turn begins and ends in PostgreSQL: one statement each, since every round trip costs both sides of it.

They are made once, so that SQLAlchemy keeps what it compiles of them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, JSONB, UUID, insert

from chat.model import MessageRole, MessageState
from chat.stores.tables import CITATIONS, CONVERSATIONS, ERASED_DOCUMENTS, MESSAGES, USAGE_REPORTS

ID = UUID(as_uuid=False)
TEXTS = ARRAY(sa.Text)
NOW = sa.func.clock_timestamp()
OWNER = ("tenant_id", "user_id")
OUTCOME = (
    "state",
    "text",
    "provider",
    "model",
    "finish_reason",
    "error_reason",
    "input_tokens",
    "output_tokens",
    "reported_by_provider",
    "latency_ms",
    "time_to_first_token_ms",
)


def given(column: "sa.Column[object]") -> "sa.BindParameter[object]":
    """Returns the parameter of a column: new_<name>."""
    return sa.bindparam(f"new_{column.name}", type_=column.type)


def add_messages(opened: sa.CTE) -> sa.Insert:
    """Stores a question and the answer that is being written, in this order, in the conversation that is opened."""
    question, answer = sa.bindparam("question_id", type_=ID), sa.bindparam("answer_id", type_=ID)
    asked = sa.bindparam("question", type_=sa.Text)
    # Not VALUES, whose rows SQLAlchemy compiles anew for each call.
    added = sa.union_all(
        message_row(1, question, sa.null(), MessageRole.USER, MessageState.COMPLETE, asked),
        message_row(2, answer, question, MessageRole.ASSISTANT, MessageState.STREAMING, sa.literal_column("''")),
    ).subquery("added")
    names = ["message_id", "reply_to", "role", "state", "text"]
    lease_until = NOW + sa.bindparam("lease", type_=INTERVAL)
    owned = [opened.c[name] for name in ("conversation_id", *OWNER)]
    selected = sa.select(*(added.c[name] for name in names), *owned, lease_until).order_by(added.c.place)
    columns = [*names, "conversation_id", *OWNER, "lease_until"]
    return sa.insert(MESSAGES).from_select(columns, selected.select_from(opened.join(added, sa.true())))


def message_row(
    place: int,
    message_id: "sa.ColumnElement[str]",
    reply_to: "sa.ColumnElement[Any]",
    role: MessageRole,
    state: MessageState,
    text: "sa.ColumnElement[str]",
) -> "sa.Select[int, str, Any, str, str, str]":
    """Returns one message and its place among those that are added."""
    return sa.select(
        sa.literal(place).label("place"),
        sa.cast(message_id, ID).label("message_id"),
        sa.cast(reply_to, ID).label("reply_to"),
        sa.literal(role.value).label("role"),
        sa.literal(state.value).label("state"),
        sa.cast(text, sa.Text).label("text"),
    )


def touch() -> sa.Update:
    """Notes that a conversation was used."""
    return sa.update(CONVERSATIONS).values(update_time=NOW)


OPENED = [CONVERSATIONS.c[name] for name in ("conversation_id", *OWNER)]
NEW = {name: given(CONVERSATIONS.c[name]) for name in ("conversation_id", *OWNER, "title")}
BEGIN_CONVERSATION = add_messages(sa.insert(CONVERSATIONS).values(**NEW).returning(*OPENED).cte("opened"))
"""new_conversation_id, new_tenant_id, new_user_id, new_title, question_id, question, answer_id, lease."""

KNOWN = CONVERSATIONS.c.conversation_id == given(CONVERSATIONS.c.conversation_id)
CONTINUE_CONVERSATION = add_messages(touch().where(KNOWN).returning(*OPENED).cte("opened"))
"""new_conversation_id, question_id, question, answer_id, lease; stores nothing where there is no such conversation."""

IS_GIVEN_UP = (MESSAGES.c.state == MessageState.FAILED) & MESSAGES.c.lease_until.is_not(None)
IS_OPEN = (MESSAGES.c.state == MessageState.STREAMING) | IS_GIVEN_UP
CITES_ERASED = sa.exists().where(ERASED_DOCUMENTS.c.document_id == sa.any_(sa.bindparam("cited_ids", type_=TEXTS)))
ENDED = (
    sa.update(MESSAGES)
    .where(MESSAGES.c.message_id == given(MESSAGES.c.message_id), IS_OPEN, ~CITES_ERASED)
    .values(**{name: given(MESSAGES.c[name]) for name in OUTCOME}, lease_until=None)
    .returning(*(MESSAGES.c[name] for name in ("message_id", "conversation_id", *OWNER)))
    .cte("ended")
)
CITED_COLUMNS = [column for column in CITATIONS.c if column.name not in {"message_id", *OWNER}]
CITED = (
    sa.func.jsonb_to_recordset(sa.bindparam("citations", type_=JSONB))
    .table_valued(*(sa.column(column.name, column.type) for column in CITED_COLUMNS))
    .render_derived(name="cited", with_types=True)
)
ADDED = (
    sa.insert(CITATIONS)
    .from_select(
        ["message_id", *OWNER, *(column.name for column in CITED_COLUMNS)],
        sa.select(*(ENDED.c[name] for name in ("message_id", *OWNER)), *CITED.c).select_from(
            ENDED.join(CITED, sa.true())
        ),
    )
    .cte("added")
)
USAGE = sa.bindparam("usage", type_=JSONB(none_as_null=True))
REPORTED = (
    insert(USAGE_REPORTS)
    .from_select(
        ["tenant_id", "usage_id", "entry"],
        sa.select(ENDED.c.tenant_id, sa.bindparam("usage_id", type_=ID), USAGE).where(
            sa.cast(USAGE, JSONB).is_not(None)
        ),
    )
    .on_conflict_do_nothing()
    .cte("reported")
)
END_TURN = touch().where(CONVERSATIONS.c.conversation_id == ENDED.c.conversation_id).add_cte(ADDED, REPORTED)
"""new_message_id, new_<each of OUTCOME>, citations (a list of rows), cited_ids (those documents that may be erased),
usage_id and usage (the entry to report, or None).

Does nothing, and touches no row, where the turn has ended or one of cited_ids is erased.
"""
