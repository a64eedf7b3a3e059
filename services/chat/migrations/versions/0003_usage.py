"""What is still to be reported of the models that wrote answers."""

from alembic import op

from servicekit.metering.outbox import create_outbox

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create_outbox(op, "chat")


def downgrade() -> None:
    op.execute("DROP TABLE chat.usage_reports")
