"""The version registry: which version of a document searches see, and which documents are gone."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import enable_row_security

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT = "tenant_id = nullif(current_setting('docuchat.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("document_id", sa.Uuid, primary_key=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("delete_time", sa.DateTime(timezone=True)),
        schema="retrieval",
    )
    op.create_table(
        "versions",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("document_id", sa.Uuid, primary_key=True),
        sa.Column("version_id", sa.Uuid, primary_key=True),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('PENDING', 'ACTIVE', 'RETIRED')"), nullable=False),
        sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("activate_time", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["tenant_id", "document_id"], ["retrieval.documents.tenant_id", "retrieval.documents.document_id"]
        ),
        schema="retrieval",
    )
    # Whatever the code does, a document never has two visible versions.
    op.create_index(
        "versions_one_active",
        "versions",
        ["tenant_id", "document_id"],
        schema="retrieval",
        unique=True,
        postgresql_where=sa.text("state = 'ACTIVE'"),
    )
    op.create_index("versions_by_id", "versions", ["tenant_id", "version_id"], schema="retrieval")
    for table in ("documents", "versions"):
        enable_row_security(op, "retrieval", table, TENANT)


def downgrade() -> None:
    op.drop_table("versions", schema="retrieval")
    op.drop_table("documents", schema="retrieval")
