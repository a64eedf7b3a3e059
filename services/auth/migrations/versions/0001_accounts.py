"""Users, credentials, tenants, memberships, sessions, refresh tokens, failed log-ins.

A policy opens only the rows that the transaction has declared it is about:

  docuchat.email         one user by address, and the credential
  docuchat.user_id       one user, the memberships and their tenants, the sessions
  docuchat.tenant_id     one tenant
  docuchat.refresh_hash, docuchat.successor_hash
                         one refresh token each, and the session of the first
  docuchat.address_hash  one address's count of failed log-ins

Whoever declares nothing sees nothing, so SQL that got in somewhere cannot read
the table of users; it would have to know each address or id beforehand.
"""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE auth.users (
    user_id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    display_name text NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE TABLE auth.credentials (
    user_id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    password_hash text NOT NULL,
    update_time timestamptz NOT NULL
);
CREATE TABLE auth.tenants (
    tenant_id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    display_name text NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE TABLE auth.memberships (
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES auth.tenants ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('MEMBER', 'ADMIN', 'OWNER')),
    create_time timestamptz NOT NULL,
    PRIMARY KEY (user_id, tenant_id)
);
CREATE INDEX memberships_by_tenant ON auth.memberships (tenant_id);
CREATE TABLE auth.sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    revoke_time timestamptz,
    -- Losing the membership ends the sessions that were opened through it.
    FOREIGN KEY (user_id, tenant_id) REFERENCES auth.memberships ON DELETE CASCADE
);
CREATE INDEX sessions_by_user ON auth.sessions (user_id, tenant_id);
CREATE TABLE auth.refresh_tokens (
    token_hash text PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES auth.sessions ON DELETE CASCADE,
    create_time timestamptz NOT NULL,
    use_time timestamptz
);
CREATE INDEX refresh_tokens_by_session ON auth.refresh_tokens (session_id);
CREATE TABLE auth.login_failures (
    address_hash text PRIMARY KEY,
    failures integer NOT NULL CHECK (failures > 0),
    last_time timestamptz NOT NULL
);
"""


def declared(name: str) -> str:
    return f"nullif(current_setting('docuchat.{name}', true), '')"


USER = f"{declared('user_id')}::uuid"
# ruff: noqa: S608 - nothing below comes from outside
POLICIES = {
    "users": f"user_id = {USER} OR email = {declared('email')}",
    "credentials": f"""EXISTS (
        SELECT 1 FROM auth.users u WHERE u.user_id = credentials.user_id AND u.email = {declared("email")})""",
    "tenants": f"""tenant_id = {declared("tenant_id")}::uuid OR EXISTS (
        SELECT 1 FROM auth.memberships m WHERE m.tenant_id = tenants.tenant_id AND m.user_id = {USER})""",
    "memberships": f"user_id = {USER}",
    "sessions": f"""user_id = {USER} OR EXISTS (
        SELECT 1 FROM auth.refresh_tokens r
        WHERE r.session_id = sessions.session_id AND r.token_hash = {declared("refresh_hash")})""",
    "refresh_tokens": f"token_hash IN ({declared('refresh_hash')}, {declared('successor_hash')})",
    "login_failures": f"address_hash = {declared('address_hash')}",
}


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, policy in POLICIES.items():
        enable_row_security(op, "auth", table, policy)


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
