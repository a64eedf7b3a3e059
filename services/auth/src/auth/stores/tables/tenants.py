"""Invitations, audit events and erasures."""

from sqlalchemy import Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from auth.stores.tables import ID, METADATA, TIME

INVITATIONS = Table(
    "invitations",
    METADATA,
    Column("invitation_id", ID, primary_key=True),
    Column("tenant_id", ID),
    Column("email", Text),
    Column("role", Text),
    Column("inviter_user_id", ID),
    Column("token_hash", Text),
    Column("create_time", TIME),
    Column("expire_time", TIME),
    Column("close_time", TIME),
)
# Rows are added and read; the database refuses anything else.
AUDIT_EVENTS = Table(
    "audit_events",
    METADATA,
    Column("event_id", ID, primary_key=True),
    Column("create_time", TIME),
    Column("tenant_id", ID),
    Column("actor_user_id", ID),
    Column("actor_role", Text),
    Column("action", Text),
    Column("target_id", Text),
    Column("details", JSONB),
)
ERASURES = Table(
    "erasures",
    METADATA,
    Column("erasure_id", ID, primary_key=True),
    Column("user_id", ID),
    Column("tenant_ids", ARRAY(ID)),
    Column("state", Text),
    Column("pending", ARRAY(Text)),
    Column("counts", JSONB),
    Column("failures", Integer),
    Column("create_time", TIME),
    Column("complete_time", TIME),
    Column("due_time", TIME),
)
