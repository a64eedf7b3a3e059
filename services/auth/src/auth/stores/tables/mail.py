"""Mails that wait, codes that are on their way, and what has been taken of allowances."""

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from auth.stores.tables import ID, METADATA, TIME

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("mail_id", ID, primary_key=True),
    Column("content", LargeBinary),
    Column("due_time", TIME),
    Column("lease_until", TIME),
    Column("attempts", Integer),
    Column("dead_time", TIME),
    Column("last_error", Text),
)
CODES = Table(
    "codes",
    METADATA,
    Column("code_key", Text, primary_key=True),
    Column("code_hash", Text),
    Column("user_id", ID),
    Column("tries", Integer),
    Column("expire_time", TIME),
)
TALLIES = Table(
    "tallies",
    METADATA,
    Column("tally_key", Text, primary_key=True),
    Column("taken", Integer),
    Column("since", TIME),
)
