"""What ingestion keeps of a user or a tenant, to be erased."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ingestion.model import DocumentId, DocumentState, Doomed, TenantId, Visibility
from ingestion.stores.tables import CHUNKS, COLLECTIONS, DOCUMENTS, JOBS, VERSIONS
from servicekit.database import Database
from servicekit.erasure import Subject

FORGET_TURNS = sa.text("DELETE FROM ingestion.turns WHERE tenant_id = cast(:tenant_id AS uuid)")


class PostgresErasureStore:
    """An ErasureStore. A user's collections are looked for in every tenant; everything else is done as the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_tenants(self, subject: Subject) -> Sequence[TenantId]:
        """Returns the tenants in which something may be the subject's."""
        if subject.tenant_id:
            return [TenantId(subject.tenant_id)]
        private = COLLECTIONS.c.visibility == Visibility.PRIVATE.value
        mine = sa.select(COLLECTIONS.c.tenant_id).where(COLLECTIONS.c.owner_user_id == subject.user_id, private)
        async with self._database.transaction(scope="erasure", user_id=subject.user_id) as connection:
            return (await connection.execute(mine.distinct())).scalars().all()

    async def stop_work(self, tenant_id: TenantId, subject: Subject, limit: int) -> Sequence[Doomed]:
        """Hides at most `limit` documents and removes their jobs; whoever works on them stops at the next write."""
        some = sa.select(DOCUMENTS.c.document_id).where(belongs_to(subject)).order_by(DOCUMENTS.c.document_id)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            ids = (await connection.execute(some.limit(limit))).scalars().all()
            of_them = JOBS.c.document_id.in_(ids)
            # Jobs before documents, the order in which workers lock, or the two could wait for each other.
            await connection.execute(sa.select(JOBS.c.job_id).where(of_them).order_by(JOBS.c.job_id).with_for_update())
            removed = await connection.execute(sa.delete(JOBS).where(of_them).returning(JOBS.c.document_id))
            stopped = [row.document_id for row in removed]
            hidden = sa.update(DOCUMENTS).where(DOCUMENTS.c.document_id.in_(ids))
            await connection.execute(hidden.values(state=DocumentState.DELETING.value))
        return [Doomed(tenant_id, DocumentId(each), jobs=stopped.count(each)) for each in ids]

    async def remove_document(self, document: Doomed) -> dict[str, int]:
        """Removes a document with everything under it; returns how many there were of each kind."""
        versions = sa.select(VERSIONS.c.version_id).where(VERSIONS.c.document_id == document.document_id)
        gone = sa.delete(DOCUMENTS).where(DOCUMENTS.c.document_id == document.document_id)
        async with self._database.transaction(tenant_id=document.tenant_id) as connection:
            return {
                "versions": await count(connection, versions),
                "chunks": await count(
                    connection, sa.select(CHUNKS.c.chunk_index).where(CHUNKS.c.version_id.in_(versions))
                ),
                "documents": (await connection.execute(gone)).rowcount,
            }

    async def remove_collections(self, tenant_id: TenantId, subject: Subject) -> int:
        """Removes the collections that nothing is in any more; returns how many."""
        is_empty = ~sa.exists().where(DOCUMENTS.c.collection_id == COLLECTIONS.c.collection_id)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            removed = await connection.execute(sa.delete(COLLECTIONS).where(is_theirs(subject), is_empty))
            if subject.tenant_id:
                await connection.execute(FORGET_TURNS, {"tenant_id": tenant_id})
        return removed.rowcount


def is_theirs(subject: Subject) -> sa.ColumnElement[bool]:
    """Matches the collections that go: all of a tenant, or what a user shared with nobody."""
    if subject.tenant_id:
        return COLLECTIONS.c.tenant_id == subject.tenant_id
    return sa.and_(COLLECTIONS.c.owner_user_id == subject.user_id, COLLECTIONS.c.visibility == Visibility.PRIVATE.value)


def belongs_to(subject: Subject) -> sa.ColumnElement[bool]:
    """Matches the documents that go, whatever state they are in."""
    return DOCUMENTS.c.collection_id.in_(sa.select(COLLECTIONS.c.collection_id).where(is_theirs(subject)))


async def count(connection: AsyncConnection, rows: sa.Select[tuple[object]]) -> int:
    """Returns how many rows a query has."""
    return int((await connection.execute(sa.select(sa.func.count()).select_from(rows.subquery()))).scalar_one())
