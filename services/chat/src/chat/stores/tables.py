"""The tables of schema chat; the migrations make them."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from servicekit.metering.outbox import describe_outbox

SCHEMA = "chat"
METADATA = MetaData(schema=SCHEMA)
USAGE_REPORTS = describe_outbox(SCHEMA)

CONVERSATIONS = Table(
    "conversations",
    METADATA,
    Column("conversation_id", UUID(as_uuid=False), primary_key=True),
    Column("tenant_id", UUID(as_uuid=False)),
    Column("user_id", UUID(as_uuid=False)),
    Column("title", Text),
    Column("create_time", DateTime(timezone=True)),
    Column("update_time", DateTime(timezone=True)),
)

MESSAGES = Table(
    "messages",
    METADATA,
    Column("message_id", UUID(as_uuid=False), primary_key=True),
    Column("position", BigInteger, Identity(always=True)),
    Column("conversation_id", UUID(as_uuid=False)),
    Column("tenant_id", UUID(as_uuid=False)),
    Column("user_id", UUID(as_uuid=False)),
    Column("reply_to", UUID(as_uuid=False)),
    Column("role", Text),
    Column("state", Text),
    Column("text", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("finish_reason", Text),
    Column("error_reason", Text),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reported_by_provider", Boolean),
    Column("latency_ms", Integer),
    Column("time_to_first_token_ms", Integer),
    Column("create_time", DateTime(timezone=True)),
    Column("lease_until", DateTime(timezone=True)),
)

CITATIONS = Table(
    "citations",
    METADATA,
    Column("message_id", UUID(as_uuid=False), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant_id", UUID(as_uuid=False)),
    Column("user_id", UUID(as_uuid=False)),
    Column("marker", Integer),
    Column("document_id", Text),
    Column("version_id", Text),
    Column("filename", Text),
    Column("page_number", Integer),
    Column("start_offset", Integer),
    Column("end_offset", Integer),
    Column("quote", Text),
    Column("quote_check", Text),
    Column("answer_start", Integer),
    Column("answer_end", Integer),
)

ERASED_DOCUMENTS = Table(
    "erased_documents",
    METADATA,
    Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("erase_time", DateTime(timezone=True)),
)
