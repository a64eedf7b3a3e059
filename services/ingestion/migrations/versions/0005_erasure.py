"""Lets an erasure see which collections are a user's, in every tenant; it removes as each tenant, like everyone:

docuchat.scope = 'erasure' with docuchat.user_id
"""

from alembic import op

revision = "0005"
down_revision = "0004"

OF_USER = "owner_user_id = nullif(current_setting('docuchat.user_id', true), '')"
ERASURE = f"current_setting('docuchat.scope', true) = 'erasure' AND {OF_USER}"


def upgrade() -> None:
    op.execute("CREATE INDEX collections_by_owner ON ingestion.collections (owner_user_id)")
    op.execute(f"CREATE POLICY collections_erasure ON ingestion.collections FOR SELECT USING ({ERASURE})")


def downgrade() -> None:
    op.execute("DROP POLICY collections_erasure ON ingestion.collections")
    op.execute("DROP INDEX ingestion.collections_by_owner")
