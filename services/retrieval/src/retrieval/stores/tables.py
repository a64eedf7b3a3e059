"""The tables of schema retrieval."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text, Uuid, func

metadata = MetaData(schema="retrieval")

documents = Table(
    "documents",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("document_id", Uuid(as_uuid=False), primary_key=True),
    Column("create_time", DateTime(timezone=True), server_default=func.now()),
    # The tombstone. It stays when everything else of the document is gone.
    Column("delete_time", DateTime(timezone=True)),
)

versions = Table(
    "versions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("document_id", Uuid(as_uuid=False), primary_key=True),
    Column("version_id", Uuid(as_uuid=False), primary_key=True),
    Column("state", Text, nullable=False),
    Column("begin_time", DateTime(timezone=True), server_default=func.now()),
    Column("activate_time", DateTime(timezone=True)),
    # The collection that holds its points; empty in rows older than the column.
    Column("generation", Text),
)
