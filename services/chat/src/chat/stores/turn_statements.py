"""How a turn begins and ends in PostgreSQL: one statement each, since every round trip costs both sides of it.

They are made once, so that SQLAlchemy keeps what it compiles of them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB, UUID

from chat.model import MessageRole, MessageState
from chat.stores.tables import CITATIONS, CONVERSATIONS, MESSAGES

ID = UUID(as_uuid=False)
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
    rows = sa.values(
        sa.column("place", sa.Integer),
        sa.column("message_id", ID),
        sa.column("reply_to", ID),
        sa.column("role", sa.Text),
        sa.column("state", sa.Text),
        sa.column("text", sa.Text),
        name="added",
    )
    question, answer = sa.bindparam("question_id", type_=ID), sa.bindparam("answer_id", type_=ID)
    asked = sa.bindparam("question", type_=sa.Text)
    added = rows.data(
        [
            (1, sa.cast(question, ID), sa.null(), MessageRole.USER.value, MessageState.COMPLETE.value, asked),
            (
                2,
                sa.cast(answer, ID),
                sa.cast(question, ID),
                MessageRole.ASSISTANT.value,
                MessageState.STREAMING.value,
                "",
            ),
        ]
    )
    names = ["message_id", "reply_to", "role", "state", "text"]
    lease_until = NOW + sa.bindparam("lease", type_=INTERVAL)
    owned = [opened.c[name] for name in ("conversation_id", *OWNER)]
    selected = sa.select(*(added.c[name] for name in names), *owned, lease_until).order_by(added.c.place)
    columns = [*names, "conversation_id", *OWNER, "lease_until"]
    return sa.insert(MESSAGES).from_select(columns, selected.select_from(opened.join(added, sa.true())))


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
ENDED = (
    sa.update(MESSAGES)
    .where(MESSAGES.c.message_id == given(MESSAGES.c.message_id), IS_OPEN)
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
END_TURN = touch().where(CONVERSATIONS.c.conversation_id == ENDED.c.conversation_id).add_cte(ADDED)
"""new_message_id, new_<each of OUTCOME>, citations (a list of rows); does nothing to a turn that has ended."""
