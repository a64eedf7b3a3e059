"""API keys.

docuchat.tenant_id  also opens the tenant's API keys
docuchat.key_hash   the API key whose secret, or whose secret before a rotation, has this hash

A key that is revoked, or goes with its maker's membership, is announced like a
session that was deleted: its id is the session id of the tokens traded for it.
"""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0006"
down_revision = "0005"

TENANT = "nullif(current_setting('docuchat.tenant_id', true), '')::uuid"
HASH = "nullif(current_setting('docuchat.key_hash', true), '')"
STATEMENTS = (
    """CREATE TABLE auth.api_keys (
        api_key_id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        user_id uuid NOT NULL,
        name text NOT NULL,
        prefix text NOT NULL,
        scopes text[] NOT NULL CHECK (scopes <@ ARRAY['READ', 'WRITE', 'ASK', 'ADMIN']),
        is_on_behalf_of_allowed boolean NOT NULL,
        create_time timestamptz NOT NULL,
        expire_time timestamptz,
        secret_hash text NOT NULL UNIQUE,
        previous_hash text UNIQUE,
        previous_expire_time timestamptz,
        revoke_time timestamptz,
        last_use_time timestamptz,
        FOREIGN KEY (user_id, tenant_id) REFERENCES auth.memberships ON DELETE CASCADE
    )""",
    "CREATE INDEX api_keys_by_tenant ON auth.api_keys (tenant_id, create_time DESC, api_key_id DESC)",
    "CREATE INDEX api_keys_by_user ON auth.api_keys (user_id, tenant_id)",
    """CREATE FUNCTION auth.keep_ended_api_key() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
    BEGIN
        DELETE FROM auth.deleted_sessions WHERE delete_time < now() - interval '1 day';
        INSERT INTO auth.deleted_sessions (session_id) VALUES (OLD.api_key_id) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER keep_deleted AFTER DELETE ON auth.api_keys FOR EACH ROW
        WHEN (OLD.revoke_time IS NULL) EXECUTE FUNCTION auth.keep_ended_api_key()""",
    """CREATE TRIGGER keep_revoked AFTER UPDATE OF revoke_time ON auth.api_keys FOR EACH ROW
        WHEN (OLD.revoke_time IS NULL AND NEW.revoke_time IS NOT NULL) EXECUTE FUNCTION auth.keep_ended_api_key()""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    enable_row_security(
        op, "auth", "api_keys", f"tenant_id = {TENANT} OR secret_hash = {HASH} OR previous_hash = {HASH}"
    )


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
