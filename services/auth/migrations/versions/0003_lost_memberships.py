"""Sessions that end because their membership or their user is deleted are announced like a log-out.

docuchat.revoked_since  also opens the sessions that were deleted after a moment

The row of such a session goes with its membership (ON DELETE CASCADE), while an
access token of it may be good for minutes. A trigger keeps its id for a day.

refresh_tokens.parent_hash is no longer written; it stays for processes of the
last release that still run while this migrates.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

DECLARED = "nullif(current_setting('docuchat.revoked_since', true), '')::timestamptz"
STATEMENTS = (
    """CREATE TABLE auth.deleted_sessions (
        session_id uuid PRIMARY KEY,
        delete_time timestamptz NOT NULL DEFAULT now()
    )""",
    "CREATE INDEX deleted_sessions_by_time ON auth.deleted_sessions (delete_time)",
    "ALTER TABLE auth.deleted_sessions ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE auth.deleted_sessions FORCE ROW LEVEL SECURITY",
    # The application reads what it declares; only the trigger, which runs as the owner, writes.
    f"CREATE POLICY revocations ON auth.deleted_sessions FOR SELECT USING (delete_time > {DECLARED})",
    "CREATE POLICY kept_by_owner ON auth.deleted_sessions TO CURRENT_USER USING (true) WITH CHECK (true)",
    """CREATE FUNCTION auth.keep_deleted_session() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
    BEGIN
        DELETE FROM auth.deleted_sessions WHERE delete_time < now() - interval '1 day';
        INSERT INTO auth.deleted_sessions (session_id) VALUES (OLD.session_id) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$""",
    # Sessions that are over anyway have no good access token.
    """CREATE TRIGGER keep_deleted AFTER DELETE ON auth.sessions FOR EACH ROW
        WHEN (OLD.expire_time > now()) EXECUTE FUNCTION auth.keep_deleted_session()""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
