"""The tables of schema `auth`, as the migrations make them; a file for each flow's."""

from sqlalchemy import DateTime, MetaData, Uuid

METADATA = MetaData(schema="auth")
TIME = DateTime(timezone=True)
# The model keeps ids as text, as the protos do.
ID = Uuid(as_uuid=False)
