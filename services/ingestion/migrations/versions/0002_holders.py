"""Which worker holds a job, so that a dead one's jobs need not wait for their leases."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE ingestion.jobs ADD COLUMN holder text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE ingestion.jobs DROP COLUMN holder")
