"""What answers hold of documents, in PostgreSQL: for the tenant, whoever asked."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.model import Check
from chat.stores.rows import citation_row, to_citation
from chat.stores.tables import CITATIONS, ERASED_DOCUMENTS, MESSAGES
from chat.turn.erase import erase_documents
from servicekit.database import Database

BATCH = 50  # answers in a transaction


class PostgresQuotes:
    """Erases documents from the answers of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, tenant_id: str, document_id: str) -> int:
        """Returns how many citations became tombstones. Once begun, no answer stores anything of the document."""
        async with self._as(tenant_id) as connection:
            await lock_erasing(connection, tenant_id)
            row = {"tenant_id": tenant_id, "document_id": document_id}
            await connection.execute(insert(ERASED_DOCUMENTS).values(**row).on_conflict_do_nothing())
        count = 0
        while erased := await self._erase_batch(tenant_id, document_id):
            count += erased
        return count

    async def _erase_batch(self, tenant_id: str, document_id: str) -> int:
        is_quoting = (CITATIONS.c.document_id == document_id) & (CITATIONS.c.quote_check != Check.SOURCE_DELETED)
        some = select(CITATIONS.c.message_id).where(is_quoting).distinct().limit(BATCH)
        async with self._as(tenant_id) as connection:
            # Two documents of one answer may be deleted at once.
            await lock_erasing(connection, tenant_id)
            message_ids = (await connection.execute(some)).scalars().all()
            return sum([await erase_in_answer(connection, each, document_id) for each in message_ids])

    def _as(self, tenant_id: str) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._database.transaction(tenant_id=tenant_id, scope="erase")


async def erase_in_answer(connection: AsyncConnection, message_id: str, document_id: str) -> int:
    """Erases a document from one stored answer; returns how many of its citations that changed."""
    is_here = CITATIONS.c.message_id == message_id
    rows = (await connection.execute(select(CITATIONS).where(is_here).order_by(CITATIONS.c.number))).all()
    text = (await connection.execute(select(MESSAGES.c.text).where(MESSAGES.c.message_id == message_id))).scalar_one()
    before = [to_citation(row) for row in rows]
    left, after = erase_documents(text, before, {document_id})
    await connection.execute(update(MESSAGES).where(MESSAGES.c.message_id == message_id).values(text=left))
    for row, old, new in zip(rows, before, after, strict=True):
        if new != old:
            place = is_here & (CITATIONS.c.number == row.number)
            await connection.execute(update(CITATIONS).where(place).values(**citation_row(new)))
    return sum(new.check is not old.check for old, new in zip(before, after, strict=True))


async def lock_erasing(connection: AsyncConnection, tenant_id: str) -> None:
    """Waits until no answer of the tenant is being stored, and lets none be until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(_lock_key(tenant_id))))


async def find_erased(connection: AsyncConnection, tenant_id: str, document_ids: Collection[str]) -> set[str]:
    """Returns which documents are erased; until the transaction ends, no further one is."""
    if not document_ids:
        return set()
    await connection.execute(select(func.pg_advisory_xact_lock_shared(_lock_key(tenant_id))))
    erased = ERASED_DOCUMENTS.c.document_id
    return set((await connection.execute(select(erased).where(erased.in_(document_ids)))).scalars())


def _lock_key(tenant_id: str) -> ColumnElement[int]:
    return func.hashtextextended(f"chat.erase/{tenant_id}", 0)
