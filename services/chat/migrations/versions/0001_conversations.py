"""Conversations, messages and citations, each row open to its one user only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

from servicekit.migrations import enable_row_security

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "chat"
OWNER = (
    "tenant_id = nullif(current_setting('docuchat.tenant_id', true), '')::uuid "
    "AND user_id = nullif(current_setting('docuchat.user_id', true), '')::uuid"
)
# The sweep ends what a crash left behind: it sees unfinished answers of everyone, and what it made of them.
SWEEP = "(current_setting('docuchat.scope', true) = 'sweep' AND state IN ('STREAMING', 'FAILED'))"
BOOKKEEPER = (
    "pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'chat.alembic_version'::regclass), 'MEMBER')"
)


def upgrade() -> None:
    create_conversations()
    create_messages()
    create_citations()
    enable_row_security(op, SCHEMA, "conversations", OWNER)
    enable_row_security(op, SCHEMA, "messages", f"({OWNER}) OR {SWEEP}")
    enable_row_security(op, SCHEMA, "citations", OWNER)
    # Alembic's own table: the owner bookkeeps in it, the application role sees nothing.
    enable_row_security(op, SCHEMA, "alembic_version", BOOKKEEPER)


def owner_columns() -> list[sa.Column]:
    return [
        sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
        sa.Column("user_id", UUID(as_uuid=False), nullable=False),
    ]


def create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("conversation_id", UUID(as_uuid=False), primary_key=True),
        *owner_columns(),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        schema=SCHEMA,
    )
    columns = ["tenant_id", "user_id", sa.text("update_time DESC"), sa.text("conversation_id DESC")]
    op.create_index("conversations_by_use", "conversations", columns, schema=SCHEMA)


def create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("message_id", UUID(as_uuid=False), primary_key=True),
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column(
            "conversation_id",
            UUID(as_uuid=False),
            sa.ForeignKey(f"{SCHEMA}.conversations.conversation_id", ondelete="CASCADE"),
            nullable=False,
        ),
        *owner_columns(),
        sa.Column("reply_to", UUID(as_uuid=False)),
        sa.Column("role", sa.Text, sa.CheckConstraint("role IN ('USER', 'ASSISTANT')"), nullable=False),
        sa.Column(
            "state",
            sa.Text,
            sa.CheckConstraint("state IN ('STREAMING', 'COMPLETE', 'CANCELLED', 'FAILED')"),
            nullable=False,
        ),
        sa.Column("text", sa.Text, nullable=False, server_default=""),
        sa.Column("provider", sa.Text, nullable=False, server_default=""),
        sa.Column("model", sa.Text, nullable=False, server_default=""),
        sa.Column("finish_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("error_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("input_tokens", sa.Integer, nullable=False, server_default="0"),
        sa.Column("output_tokens", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reported_by_provider", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("latency_ms", sa.Integer, nullable=False, server_default="0"),
        sa.Column("time_to_first_token_ms", sa.Integer, nullable=False, server_default="0"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        schema=SCHEMA,
    )
    op.create_index("messages_by_position", "messages", ["conversation_id", "position"], unique=True, schema=SCHEMA)
    streaming = sa.text("state = 'STREAMING'")
    op.create_index("messages_streaming", "messages", ["create_time"], schema=SCHEMA, postgresql_where=streaming)


def create_citations() -> None:
    op.create_table(
        "citations",
        sa.Column(
            "message_id",
            UUID(as_uuid=False),
            sa.ForeignKey(f"{SCHEMA}.messages.message_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        *owner_columns(),
        sa.Column("marker", sa.Integer, nullable=False),
        # Ids of other services are opaque here.
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("version_id", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("page_number", sa.Integer, nullable=False),
        sa.Column("start_offset", sa.Integer, nullable=False),
        sa.Column("end_offset", sa.Integer, nullable=False),
        sa.Column("quote", sa.Text, nullable=False),
        sa.Column("quote_check", sa.Text, nullable=False),
        sa.Column("answer_start", sa.Integer, nullable=False),
        sa.Column("answer_end", sa.Integer, nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    for table in ("citations", "messages", "conversations"):
        op.drop_table(table, schema=SCHEMA)
