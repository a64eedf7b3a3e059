"""What a refresh token was traded for, and the setting that opens ended sessions:

docuchat.revoked_since  sessions that were ended after a moment
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = """
ALTER TABLE auth.refresh_tokens ADD COLUMN parent_hash text;
CREATE INDEX refresh_tokens_by_parent ON auth.refresh_tokens (parent_hash);
CREATE INDEX sessions_by_revocation ON auth.sessions (revoke_time) WHERE revoke_time IS NOT NULL;
CREATE POLICY successors ON auth.refresh_tokens FOR SELECT
    USING (parent_hash = nullif(current_setting('docuchat.refresh_hash', true), ''));
CREATE POLICY revocations ON auth.sessions FOR SELECT
    USING (revoke_time > nullif(current_setting('docuchat.revoked_since', true), '')::timestamptz);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
