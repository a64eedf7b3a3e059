"""Users, credentials, tenants, memberships, sessions and failed log-ins."""

from sqlalchemy import Boolean, Column, Integer, SmallInteger, Table, Text

from auth.stores.tables import ID, METADATA, TIME

USERS = Table(
    "users",
    METADATA,
    Column("user_id", ID, primary_key=True),
    Column("email", Text),
    Column("display_name", Text),
    Column("create_time", TIME),
    Column("username", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("language", Text),
    Column("is_staff", Boolean),
    Column("is_active", Boolean),
    Column("is_email_verified", Boolean),
)
CREDENTIALS = Table(
    "credentials",
    METADATA,
    Column("user_id", ID, primary_key=True),
    Column("password_hash", Text),
    Column("password_tag", SmallInteger),
    Column("update_time", TIME),
)
TENANTS = Table(
    "tenants",
    METADATA,
    Column("tenant_id", ID, primary_key=True),
    Column("slug", Text),
    Column("display_name", Text),
    Column("create_time", TIME),
    Column("suspend_time", TIME),
)
MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    Column("user_id", ID, primary_key=True),
    Column("tenant_id", ID, primary_key=True),
    Column("role", Text),
    Column("create_time", TIME),
    Column("is_active", Boolean),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", ID, primary_key=True),
    Column("user_id", ID),
    Column("tenant_id", ID),
    Column("create_time", TIME),
    Column("expire_time", TIME),
    Column("revoke_time", TIME),
    Column("as_staff", Boolean),
    Column("device", Text),
    Column("address", Text),
    Column("last_use_time", TIME),
)
# Written by a trigger, when a membership or a user takes sessions along.
DELETED_SESSIONS = Table(
    "deleted_sessions",
    METADATA,
    Column("session_id", ID, primary_key=True),
    Column("delete_time", TIME),
)
REFRESH_TOKENS = Table(
    "refresh_tokens",
    METADATA,
    Column("token_hash", Text, primary_key=True),
    Column("session_id", ID),
    Column("create_time", TIME),
    Column("use_time", TIME),
)
LOGIN_FAILURES = Table(
    "login_failures",
    METADATA,
    Column("address_hash", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("client_hash", Text, primary_key=True),
    Column("failures", Integer),
    Column("last_time", TIME),
)
