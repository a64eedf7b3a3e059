"""What answers hold of documents, in PostgreSQL: for the tenant, whoever asked."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.model import Check
from chat.stores.rows import citation_row, to_citation
from chat.stores.tables import CITATIONS, ERASED_DOCUMENTS, MESSAGES
from chat.turn.erase import erase_documents
from servicekit.database import Database, Lock

BATCH = 50  # answers in a transaction


class PostgresQuotes:
    """Erases documents from the answers of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, tenant_id: str, document_id: str) -> int:
        """Returns how many citations became tombstones. Once begun, no answer stores anything of the document."""
        async with self._as(tenant_id) as connection:
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
            message_ids = (await connection.execute(some)).scalars().all()
            return sum([await erase_in_answer(connection, each, document_id) for each in message_ids])

    def _as(self, tenant_id: str) -> AbstractAsyncContextManager[AsyncConnection]:
        # No answer of the tenant is being stored meanwhile, and no other document of an answer is erased.
        return self._database.transaction(Lock(name_lock(tenant_id)), tenant_id=tenant_id, scope="erase")


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


async def find_erased(connection: AsyncConnection, document_ids: Collection[str]) -> set[str]:
    """Returns which documents are erased."""
    erased = ERASED_DOCUMENTS.c.document_id
    return set((await connection.execute(select(erased).where(erased.in_(document_ids)))).scalars())


def name_lock(tenant_id: str) -> str:
    """Returns the name of the lock that erasing has alone, and that those share who store what cites documents."""
    return f"chat.erase/{tenant_id}"
