"""Codes by mail, verified addresses, named sessions, and failures counted by client.

  docuchat.code_key    one code
  docuchat.tally_keys  the tallies of these digests, separated by commas
  docuchat.mail_due    the mails that were due at this moment
  docuchat.mail_id     one mail
  docuchat.expired_at  the codes that had expired, and the tallies begun, before this moment: to forget them

An address belongs to one user once it is verified; until then to whoever signed
up with it. docuchat.user_id opens the credential too.
"""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0004"
down_revision = "0003"


def declared(name: str) -> str:
    return f"nullif(current_setting('docuchat.{name}', true), '')"


STATEMENTS = """
ALTER TABLE auth.users ADD COLUMN is_email_verified boolean NOT NULL DEFAULT false;
ALTER TABLE auth.users ALTER COLUMN email DROP NOT NULL;
ALTER TABLE auth.users DROP CONSTRAINT users_email_key;
CREATE INDEX users_by_email ON auth.users (email);
CREATE UNIQUE INDEX users_verified_email ON auth.users (email) WHERE is_email_verified;
-- NULL for passwords of before, which any tag may belong to.
ALTER TABLE auth.credentials ADD COLUMN password_tag smallint;
ALTER TABLE auth.sessions ADD COLUMN device text NOT NULL DEFAULT '';
ALTER TABLE auth.sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE auth.sessions ADD COLUMN last_use_time timestamptz;
ALTER TABLE auth.login_failures ADD COLUMN purpose text NOT NULL DEFAULT 'PASSWORD';
ALTER TABLE auth.login_failures ADD COLUMN client_hash text NOT NULL DEFAULT '';
ALTER TABLE auth.login_failures DROP CONSTRAINT login_failures_pkey;
ALTER TABLE auth.login_failures ADD PRIMARY KEY (address_hash, purpose, client_hash);
CREATE TABLE auth.codes (
    code_key text PRIMARY KEY,
    code_hash text NOT NULL,
    -- No foreign key: looking a user up takes time that looking nobody up does not.
    user_id uuid,
    tries integer NOT NULL DEFAULT 0,
    expire_time timestamptz NOT NULL
);
CREATE INDEX codes_by_expiry ON auth.codes (expire_time);
CREATE TABLE auth.tallies (
    tally_key text PRIMARY KEY,
    taken integer NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX tallies_by_start ON auth.tallies (since);
CREATE TABLE auth.outbox (
    mail_id uuid PRIMARY KEY,
    content bytea NOT NULL,
    due_time timestamptz NOT NULL,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    dead_time timestamptz,
    last_error text NOT NULL DEFAULT ''
);
CREATE INDEX outbox_by_due_time ON auth.outbox (due_time);
"""
# ruff: noqa: S608 - nothing below comes from outside
USER = f"{declared('user_id')}::uuid"
CREDENTIALS = f"""user_id = {USER} OR EXISTS (
    SELECT 1 FROM auth.users u WHERE u.user_id = credentials.user_id AND u.email = {declared("email")})"""
DUE = f"due_time <= {declared('mail_due')}::timestamptz"
# What forgets the expired needs no more than to find and to delete them.
FORGET = """CREATE POLICY forget_{verb} ON auth.{table} FOR {verb} USING ({column} < {moment}::timestamptz)"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
    enable_row_security(op, "auth", "codes", f"code_key = {declared('code_key')}")
    keys = f"string_to_array({declared('tally_keys')}, ',')"
    enable_row_security(op, "auth", "tallies", f"tally_key = ANY({keys})")
    enable_row_security(op, "auth", "outbox", f"mail_id = {declared('mail_id')}::uuid")
    op.execute(f"ALTER POLICY credentials_wall ON auth.credentials USING ({CREDENTIALS}) WITH CHECK ({CREDENTIALS})")
    # Whatever causes a mail may queue it; what is not sealed with auth's key is never sent.
    op.execute("CREATE POLICY queue ON auth.outbox FOR INSERT WITH CHECK (true)")
    for verb in ("SELECT", "UPDATE", "DELETE"):
        op.execute(f"CREATE POLICY due_{verb} ON auth.outbox FOR {verb} USING ({DUE})")
    for table, column in (("codes", "expire_time"), ("tallies", "since")):
        for verb in ("SELECT", "DELETE"):
            moment = declared("expired_at")
            op.execute(FORGET.format(verb=verb, table=table, column=column, moment=moment))


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
