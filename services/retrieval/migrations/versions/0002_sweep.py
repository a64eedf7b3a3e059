"""Lets the sweep see the versions of every tenant; it removes as the tenant, like everyone."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SWEEP = "current_setting('docuchat.scope', true) = 'sweep'"


def upgrade() -> None:
    for table in ("documents", "versions"):
        op.execute(f"CREATE POLICY {table}_sweep ON retrieval.{table} FOR SELECT USING ({SWEEP})")


def downgrade() -> None:
    for table in ("documents", "versions"):
        op.execute(f"DROP POLICY {table}_sweep ON retrieval.{table}")
