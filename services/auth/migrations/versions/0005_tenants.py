"""What users and tenants are beside their names, invitations, the audit log and erasures.

docuchat.managed_tenant_id  one tenant with its members, their sessions, its invitations and its audit events
docuchat.invitation_hash    the invitation of this secret
docuchat.erasure_id         one erasure
docuchat.scope = 'staff'    every tenant and every audit event, to read
docuchat.scope = 'erasures' every erasure, for the loop that goes on with them

The audit log is append-only: the application role may read and insert, and
there is no policy for anything else.
"""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0005"
down_revision = "0004"

TABLES = """
ALTER TABLE auth.users
    ADD COLUMN username text NOT NULL DEFAULT '',
    ADD COLUMN first_name text NOT NULL DEFAULT '',
    ADD COLUMN last_name text NOT NULL DEFAULT '',
    ADD COLUMN language text NOT NULL DEFAULT '',
    ADD COLUMN is_staff boolean NOT NULL DEFAULT false,
    ADD COLUMN is_active boolean NOT NULL DEFAULT true;
CREATE UNIQUE INDEX users_by_username ON auth.users (username) WHERE username <> '';
ALTER TABLE auth.tenants ADD COLUMN suspend_time timestamptz;
CREATE INDEX tenants_newest ON auth.tenants (create_time DESC, tenant_id DESC);
ALTER TABLE auth.memberships ADD COLUMN is_active boolean NOT NULL DEFAULT true;
ALTER TABLE auth.sessions ADD COLUMN as_staff boolean NOT NULL DEFAULT false;
CREATE INDEX sessions_by_tenant ON auth.sessions (tenant_id);
CREATE TABLE auth.invitations (
    invitation_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES auth.tenants ON DELETE CASCADE,
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('MEMBER', 'ADMIN', 'OWNER')),
    inviter_user_id uuid,
    token_hash text NOT NULL UNIQUE,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    -- Accepted, revoked or replaced by a newer one.
    close_time timestamptz
);
CREATE INDEX invitations_newest ON auth.invitations (tenant_id, create_time DESC, invitation_id DESC);
CREATE INDEX invitations_by_email ON auth.invitations (email);
CREATE TABLE auth.audit_events (
    event_id uuid PRIMARY KEY,
    create_time timestamptz NOT NULL,
    tenant_id uuid,
    actor_user_id uuid,
    actor_role text NOT NULL,
    action text NOT NULL,
    target_id text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_of_tenant ON auth.audit_events (tenant_id, create_time DESC, event_id DESC);
CREATE INDEX audit_events_newest ON auth.audit_events (create_time DESC, event_id DESC);
CREATE TABLE auth.erasures (
    erasure_id uuid PRIMARY KEY,
    user_id uuid,
    tenant_ids uuid[] NOT NULL,
    state text NOT NULL CHECK (state IN ('ERASING', 'ERASED', 'CONFIRMED')),
    -- The services that have not said yet that nothing is left.
    pending text[] NOT NULL,
    counts jsonb NOT NULL DEFAULT '{}',
    failures integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    complete_time timestamptz,
    -- When somebody shall go on with it; whoever does puts it off until it would be taken for dead.
    due_time timestamptz
);
CREATE INDEX erasures_due ON auth.erasures (due_time) WHERE due_time IS NOT NULL;
"""


def declared(name: str) -> str:
    return f"nullif(current_setting('docuchat.{name}', true), '')"


MANAGED = f"{declared('managed_tenant_id')}::uuid"
USER = f"{declared('user_id')}::uuid"
STAFF = "coalesce(current_setting('docuchat.scope', true), '') = 'staff'"
LOOP = "coalesce(current_setting('docuchat.scope', true), '') = 'erasures'"
# ruff: noqa: S608 - nothing below comes from outside
WALLS = {
    "invitations": f"""tenant_id = {MANAGED} OR token_hash = {declared("invitation_hash")}
        OR email = {declared("email")}""",
    "erasures": f"erasure_id = {declared('erasure_id')}::uuid OR {LOOP}",
}
MANAGING = ("tenants", "memberships", "sessions")
POLICIES = (
    *(f"CREATE POLICY managed ON auth.{table} USING (tenant_id = {MANAGED})" for table in MANAGING),
    f"""CREATE POLICY managed ON auth.users FOR SELECT USING (EXISTS (
        SELECT 1 FROM auth.memberships m WHERE m.user_id = users.user_id AND m.tenant_id = {MANAGED}))""",
    f"CREATE POLICY staff ON auth.tenants FOR SELECT USING ({STAFF})",
    "ALTER TABLE auth.audit_events ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE auth.audit_events FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY audit_read ON auth.audit_events FOR SELECT USING (tenant_id = {MANAGED} OR {STAFF})",
    f"""CREATE POLICY audit_append ON auth.audit_events FOR INSERT
        WITH CHECK (tenant_id = {MANAGED} OR actor_user_id = {USER} OR {STAFF})""",
    "REVOKE UPDATE, DELETE ON auth.audit_events FROM docuchat_auth",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, policy in WALLS.items():
        enable_row_security(op, "auth", table, policy)
    for statement in POLICIES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
