"""Leases of answers that are being written, and erasing what answers hold of documents that were deleted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

from servicekit.migrations import enable_row_security

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "chat"
TENANT = "tenant_id = nullif(current_setting('docuchat.tenant_id', true), '')::uuid"
ERASING = f"current_setting('docuchat.scope', true) = 'erase' AND {TENANT}"


def upgrade() -> None:
    # The default is for processes of the version before, which know no leases and write for three minutes at most.
    lease = sa.Column(
        "lease_until", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp() + interval '3 minutes'")
    )
    op.add_column("messages", lease, schema=SCHEMA)
    op.drop_index("messages_streaming", "messages", schema=SCHEMA)
    streaming = sa.text("state = 'STREAMING'")
    op.create_index("messages_streaming", "messages", ["lease_until"], schema=SCHEMA, postgresql_where=streaming)
    op.create_table(
        "erased_documents",
        sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
        sa.Column("document_id", sa.Text, primary_key=True),
        sa.Column("erase_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        schema=SCHEMA,
    )
    enable_row_security(op, SCHEMA, "erased_documents", TENANT)
    op.create_index("citations_by_document", "citations", ["tenant_id", "document_id"], schema=SCHEMA)
    for table in ("messages", "citations"):
        op.execute(f"CREATE POLICY {table}_erasing ON {SCHEMA}.{table} USING ({ERASING}) WITH CHECK ({ERASING})")


def downgrade() -> None:
    for table in ("messages", "citations"):
        op.execute(f"DROP POLICY {table}_erasing ON {SCHEMA}.{table}")
    op.drop_index("citations_by_document", "citations", schema=SCHEMA)
    op.drop_table("erased_documents", schema=SCHEMA)
    op.drop_index("messages_streaming", "messages", schema=SCHEMA)
    op.drop_column("messages", "lease_until", schema=SCHEMA)
    streaming = sa.text("state = 'STREAMING'")
    op.create_index("messages_streaming", "messages", ["create_time"], schema=SCHEMA, postgresql_where=streaming)
