"""Documents in PostgreSQL, as people see them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from ingestion.errors import DocumentNotFound, QuotaExceeded
from ingestion.model import (
    Caller,
    CollectionId,
    Document,
    DocumentFilter,
    DocumentId,
    DocumentState,
    JobKind,
    Placement,
    StoredFile,
    TenantId,
    VersionId,
)
from ingestion.ports import PageKey
from ingestion.stores import collections
from ingestion.stores.jobs import enqueue
from ingestion.stores.tables import COLLECTIONS, DOCUMENTS, JOBS, VERSIONS, newest_first
from servicekit.database import Database
from servicekit.metering.model import TenantLimits

# What a reader gets: the version that searches see, or the first one on its way there.
SHOWN_VERSION = sa.func.coalesce(DOCUMENTS.c.active_version_id, DOCUMENTS.c.version_id)
# Whoever asks whether an upload happened waits for its transaction: that may still commit though its client is gone.
AWAIT_UPLOAD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:version_id, 0))")
AWAIT_TENANT = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('room ' || :tenant_id, 0))")
# Whoever walks over all tenants finds them here.
ENTER_TURNS = sa.text("""
INSERT INTO ingestion.turns (tenant_id, served_at) VALUES (cast(:tenant_id AS uuid), '-infinity')
ON CONFLICT DO NOTHING
""")
ALIVE = DOCUMENTS.c.state != DocumentState.DELETING.value


class PostgresDocumentStore:
    """A DocumentStore; the tenant wall is row-level security, the user wall is the collection's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        caller: Caller,
        collection_id: CollectionId,
        files: Sequence[StoredFile],
        carrier: Mapping[str, str],
        limits: TenantLimits,
    ) -> list[Document]:
        """Adds a document, a version and a job for each file, all or none. Raises CollectionNotFound, QuotaExceeded."""
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            if collection_id:
                await collections.require_writable(connection, caller, collection_id)
            else:
                collection_id = await collections.ensure_default(connection, caller)
            await connection.execute(ENTER_TURNS, {"tenant_id": caller.tenant_id})
            await _require_room(connection, caller.tenant_id, files, limits)
            return [await _add(connection, caller, collection_id, file, carrier) for file in files]

    async def require_writable(self, caller: Caller, collection_id: CollectionId) -> None:
        """Raises CollectionNotFound unless the caller may put documents there."""
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            await collections.require_writable(connection, caller, collection_id)

    async def find(self, caller: Caller, document_id: DocumentId) -> Document | None:
        """Returns a document that the caller may see."""
        statement = _visible_documents(caller).where(DOCUMENTS.c.document_id == document_id)
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return to_document(row) if row else None

    async def list_page(
        self, caller: Caller, wanted: DocumentFilter, limit: int, before: PageKey | None
    ) -> list[Document]:
        """Returns at most limit documents, newest first, that are older than `before`."""
        statement = newest_first(_visible_documents(caller), DOCUMENTS.c.document_id, before)
        if wanted.state is not None:
            statement = statement.where(DOCUMENTS.c.state == wanted.state.value)
        if wanted.collection_id:
            statement = statement.where(DOCUMENTS.c.collection_id == wanted.collection_id)
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            rows = (await connection.execute(statement.limit(limit))).mappings().all()
        return [to_document(row) for row in rows]

    async def require_deletable(self, caller: Caller, document_id: DocumentId) -> None:
        """Raises DocumentNotFound unless the caller may delete the document."""
        statement = sa.select(DOCUMENTS.c.document_id).where(_deletable(caller, document_id))
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            if (await connection.execute(statement)).one_or_none() is None:
                raise DocumentNotFound

    async def begin_delete(self, caller: Caller, document_id: DocumentId, carrier: Mapping[str, str]) -> None:
        """Hides a document, stops work on it and queues its removal. Raises DocumentNotFound."""
        of_document = JOBS.c.document_id == document_id
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            # Job before document, the order in which workers lock, or the two could wait for each other.
            await connection.execute(sa.select(JOBS.c.job_id).where(of_document).with_for_update())
            version_id = (await connection.execute(_mark_deleting(caller, document_id))).scalar_one_or_none()
            if version_id is None:
                raise DocumentNotFound
            # A worker that is busy with the document finds its job gone at its next write, and stops.
            await connection.execute(sa.delete(JOBS).where(of_document))
            await enqueue(connection, JobKind.DELETE, Placement(caller.tenant_id, document_id, version_id), carrier)

    async def has_version(self, tenant_id: TenantId, version_id: VersionId) -> bool:
        """Tells whether an upload was committed."""
        statement = sa.select(sa.exists().where(VERSIONS.c.version_id == version_id))
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            await connection.execute(AWAIT_UPLOAD, {"version_id": version_id})
            return bool((await connection.execute(statement)).scalar_one())


async def _require_room(
    connection: AsyncConnection, tenant_id: TenantId, files: Sequence[StoredFile], limits: TenantLimits
) -> None:
    """Raises QuotaExceeded; whoever else uploads for the tenant waits until this transaction has ended."""
    if not limits.documents and not limits.storage_bytes:
        return
    await connection.execute(AWAIT_TENANT, {"tenant_id": tenant_id})
    stored = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(VERSIONS.c.size_bytes), 0))
    joined = sa.join(DOCUMENTS, VERSIONS, VERSIONS.c.document_id == DOCUMENTS.c.document_id)
    documents, size_bytes = (await connection.execute(stored.select_from(joined).where(ALIVE))).one()
    wanted = {
        "documents": int(documents) + len(files),
        "storage_bytes": int(size_bytes) + sum(file.size_bytes for file in files),
    }
    for limit, allowed in (("documents", limits.documents), ("storage_bytes", limits.storage_bytes)):
        if allowed and wanted[limit] > allowed:
            raise QuotaExceeded(limit, allowed, wanted[limit])


async def _add(
    connection: AsyncConnection,
    caller: Caller,
    collection_id: CollectionId,
    file: StoredFile,
    carrier: Mapping[str, str],
) -> Document:
    placement = file.placement
    await connection.execute(AWAIT_UPLOAD, {"version_id": placement.version_id})
    await connection.execute(sa.insert(DOCUMENTS).values(_document_values(collection_id, file)))
    await connection.execute(sa.insert(VERSIONS).values(_version_values(caller, file)))
    await enqueue(connection, JobKind.PROCESS, placement, carrier)
    statement = _documents().where(DOCUMENTS.c.document_id == placement.document_id)
    return to_document((await connection.execute(statement)).mappings().one())


def _document_values(collection_id: CollectionId, file: StoredFile) -> dict[str, str]:
    return {
        "document_id": file.placement.document_id,
        "tenant_id": file.placement.tenant_id,
        "collection_id": collection_id,
        "filename": file.filename,
        "state": DocumentState.UPLOADED.value,
        "version_id": file.placement.version_id,
    }


def _version_values(caller: Caller, file: StoredFile) -> dict[str, str | int | None]:
    return {
        "user_id": caller.user_id,
        "api_key_id": caller.api_key_id or None,
        "version_id": file.placement.version_id,
        "tenant_id": file.placement.tenant_id,
        "document_id": file.placement.document_id,
        "content_type": file.content_type.value,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
    }


def _documents() -> sa.Select[Any]:
    versions = [column for column in VERSIONS.c if column.key not in DOCUMENTS.c]
    joined = sa.join(DOCUMENTS, VERSIONS, VERSIONS.c.version_id == SHOWN_VERSION)
    shown = SHOWN_VERSION.label("shown_version_id")
    return sa.select(DOCUMENTS, *versions, shown).select_from(joined).where(ALIVE)


def _visible_documents(caller: Caller) -> sa.Select[Any]:
    visible = sa.select(COLLECTIONS.c.collection_id).where(collections.visible_to(caller))
    return _documents().where(DOCUMENTS.c.collection_id.in_(visible))


def _deletable(caller: Caller, document_id: DocumentId) -> sa.ColumnElement[bool]:
    writable = sa.select(COLLECTIONS.c.collection_id).where(collections.writable_by(caller))
    return sa.and_(DOCUMENTS.c.document_id == document_id, ALIVE, DOCUMENTS.c.collection_id.in_(writable))


def _mark_deleting(caller: Caller, document_id: DocumentId) -> ReturningUpdate[Any]:
    return (
        sa.update(DOCUMENTS)
        .where(_deletable(caller, document_id))
        .values(state=DocumentState.DELETING.value, update_time=sa.func.clock_timestamp())
        .returning(DOCUMENTS.c.version_id)
    )


def to_document(row: sa.RowMapping) -> Document:
    """Maps a row of documents joined with the version that is shown."""
    return Document(
        document_id=row["document_id"],
        collection_id=row["collection_id"],
        filename=row["filename"],
        state=DocumentState(row["state"]),
        state_reason=row["state_reason"],
        state_message=row["state_message"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        content_type=row["content_type"],
        page_count=row["page_count"],
        chunk_count=row["chunk_count"],
        indexed_chunk_count=row["indexed_chunk_count"],
        token_count=row["token_count"],
        character_count=row["character_count"],
        language=row["language"],
        title=row["title"] or row["filename"],
        version_id=row["shown_version_id"],
        has_text=row["has_text"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        process_time=row["process_time"],
    )
