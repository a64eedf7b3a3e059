"""API keys."""

from sqlalchemy import Boolean, Column, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from auth.stores.tables import ID, METADATA, TIME

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("api_key_id", ID, primary_key=True),
    Column("tenant_id", ID),
    Column("user_id", ID),
    Column("name", Text),
    Column("prefix", Text),
    Column("scopes", ARRAY(Text)),
    Column("is_on_behalf_of_allowed", Boolean),
    Column("create_time", TIME),
    Column("expire_time", TIME),
    Column("secret_hash", Text),
    Column("previous_hash", Text),
    Column("previous_expire_time", TIME),
    Column("revoke_time", TIME),
    Column("last_use_time", TIME),
)
