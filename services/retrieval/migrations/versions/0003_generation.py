"""Versions say which index generation their points are in, and may be claimed by the sweep."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHECK = "versions_state_check"


def upgrade() -> None:
    op.add_column("versions", sa.Column("generation", sa.Text), schema="retrieval")
    op.drop_constraint(CHECK, "versions", schema="retrieval")
    states = "state IN ('PENDING', 'ACTIVE', 'RETIRED', 'SWEEPING')"
    op.create_check_constraint(CHECK, "versions", states, schema="retrieval")


def downgrade() -> None:
    op.execute("UPDATE retrieval.versions SET state = 'RETIRED' WHERE state = 'SWEEPING'")
    op.drop_constraint(CHECK, "versions", schema="retrieval")
    op.create_check_constraint(CHECK, "versions", "state IN ('PENDING', 'ACTIVE', 'RETIRED')", schema="retrieval")
    op.drop_column("versions", "generation", schema="retrieval")
