"""The tables of schema `ingestion`, as the migrations make them, and pages of their rows."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from ingestion.ports import PageKey

ID = UUID(as_uuid=False)
TIME = sa.DateTime(timezone=True)
SCHEMA = "ingestion"
METADATA = sa.MetaData(schema=SCHEMA)

COLLECTIONS = sa.Table(
    "collections",
    METADATA,
    sa.Column("collection_id", ID, primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("owner_user_id", sa.Text),
    sa.Column("display_name", sa.Text),
    sa.Column("visibility", sa.Text),
    sa.Column("is_default", sa.Boolean),
    sa.Column("create_time", TIME),
)

DOCUMENTS = sa.Table(
    "documents",
    METADATA,
    sa.Column("document_id", ID, primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("collection_id", ID),
    sa.Column("filename", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("state_reason", sa.Text),
    sa.Column("state_message", sa.Text),
    sa.Column("version_id", ID),
    sa.Column("active_version_id", ID),
    sa.Column("create_time", TIME),
    sa.Column("update_time", TIME),
    sa.Column("process_time", TIME),
)

VERSIONS = sa.Table(
    "versions",
    METADATA,
    sa.Column("version_id", ID, primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("document_id", ID),
    sa.Column("content_type", sa.Text),
    sa.Column("size_bytes", sa.Integer),
    sa.Column("sha256", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("page_count", sa.Integer),
    sa.Column("chunk_count", sa.Integer),
    sa.Column("indexed_chunk_count", sa.Integer),
    sa.Column("token_count", sa.Integer),
    sa.Column("character_count", sa.Integer),
    sa.Column("has_text", sa.Boolean),
    sa.Column("create_time", TIME),
    sa.Column("user_id", ID),
    sa.Column("api_key_id", ID),
)

TEXT_SEGMENTS = sa.Table(
    "text_segments",
    METADATA,
    sa.Column("version_id", ID, primary_key=True),
    sa.Column("segment_number", sa.Integer, primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("text", sa.Text),
)

CHUNKS = sa.Table(
    "chunks",
    METADATA,
    sa.Column("version_id", ID, primary_key=True),
    sa.Column("chunk_index", sa.Integer, primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("start_offset", sa.Integer),
    sa.Column("end_offset", sa.Integer),
    sa.Column("page_start", sa.Integer),
    sa.Column("page_end", sa.Integer),
    sa.Column("token_count", sa.Integer),
    sa.Column("heading_path", ARRAY(sa.Text)),
    sa.Column("page_break_offsets", ARRAY(sa.Integer)),
)

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("job_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("tenant_id", ID),
    sa.Column("kind", sa.Text),
    sa.Column("document_id", ID),
    sa.Column("version_id", ID),
    sa.Column("state", sa.Text),
    sa.Column("attempts", sa.Integer),
    sa.Column("run_after", TIME),
    sa.Column("lease_until", TIME),
    sa.Column("fence", sa.BigInteger),
    sa.Column("lost_leases", sa.Integer),
    sa.Column("waited_seconds", sa.Double),
    sa.Column("holder", sa.Text),
    sa.Column("last_error", sa.Text),
    sa.Column("trace_carrier", JSONB),
    sa.Column("create_time", TIME),
)


def newest_first(statement: sa.Select[Any], id_column: sa.Column[Any], before: PageKey | None) -> sa.Select[Any]:
    """Orders by create_time and id, newest first, and starts after the row with the key `before`."""
    create_time = id_column.table.c.create_time
    ordered = statement.order_by(create_time.desc(), id_column.desc())
    if before is None:
        return ordered
    after = sa.tuple_(sa.literal(before[0], create_time.type), sa.literal(before[1], id_column.type))
    return ordered.where(sa.tuple_(create_time, id_column) < after)
