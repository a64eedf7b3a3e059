"""Who uploaded a version, with which API key, and what is still to be reported of the models that read it."""

from alembic import op

from servicekit.metering.outbox import create_outbox

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE ingestion.versions ADD COLUMN user_id uuid, ADD COLUMN api_key_id uuid")
    create_outbox(op, "ingestion")


def downgrade() -> None:
    op.execute("DROP TABLE ingestion.usage_reports")
    op.execute("ALTER TABLE ingestion.versions DROP COLUMN user_id, DROP COLUMN api_key_id")
