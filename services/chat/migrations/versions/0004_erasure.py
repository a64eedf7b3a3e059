"""Lets an erasure see what is a user's in every tenant, or everything of a tenant:

docuchat.scope = 'erasure' with docuchat.user_id or docuchat.tenant_id
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "chat"
SUBJECT = " OR ".join(
    f"{name} = nullif(current_setting('docuchat.{name}', true), '')::uuid" for name in ("tenant_id", "user_id")
)
ERASURE = f"current_setting('docuchat.scope', true) = 'erasure' AND ({SUBJECT})"


def upgrade() -> None:
    for table in ("conversations", "messages", "citations"):
        op.execute(f"CREATE POLICY {table}_erasure ON {SCHEMA}.{table} USING ({ERASURE})")


def downgrade() -> None:
    for table in ("conversations", "messages", "citations"):
        op.execute(f"DROP POLICY {table}_erasure ON {SCHEMA}.{table}")
