"""Erasing what chat keeps of a user or a tenant."""

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.stores.tables import CITATIONS, CONVERSATIONS, ERASED_DOCUMENTS, MESSAGES
from servicekit.database import Database
from servicekit.erasure import Erased, Subject, add_up

BATCH = 100  # conversations in a transaction
BATCHES = 20  # transactions in a call


class PostgresEraser:
    """Removes conversations with their messages and citations, a batch in a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, subject: Subject) -> Erased:
        """Removes some of them; an answer that is being written finds no place to be stored in."""
        parts: list[dict[str, int]] = []
        for _ in range(BATCHES):
            parts.append(await self._erase_batch(subject))
            if parts[-1].get("conversations", 0) < BATCH:
                return Erased(add_up(*parts))
        return Erased(add_up(*parts), is_complete=False)

    async def _erase_batch(self, subject: Subject) -> dict[str, int]:
        # One of the two is named: whoever names both would erase a user and everybody else in the tenant.
        settings = {"tenant_id": subject.tenant_id} if subject.tenant_id else {"user_id": subject.user_id}
        async with self._database.transaction(**settings, scope="erasure") as connection:
            some = select(CONVERSATIONS.c.conversation_id).where(belongs_to(subject)).limit(BATCH).with_for_update()
            ids = (await connection.execute(some)).scalars().all()
            if subject.tenant_id:
                await connection.execute(
                    delete(ERASED_DOCUMENTS).where(ERASED_DOCUMENTS.c.tenant_id == subject.tenant_id)
                )
            return await erase_conversations(connection, CONVERSATIONS.c.conversation_id.in_(ids)) if ids else {}


async def erase_conversations(connection: AsyncConnection, which: ColumnElement[bool]) -> dict[str, int]:
    """Removes conversations; what hangs on them is counted and goes along (ON DELETE CASCADE)."""
    messages = select(MESSAGES.c.message_id).join(
        CONVERSATIONS, CONVERSATIONS.c.conversation_id == MESSAGES.c.conversation_id
    )
    of_them = messages.where(which)
    cited = select(func.count()).select_from(CITATIONS).where(CITATIONS.c.message_id.in_(of_them))
    return {
        "messages": (await connection.execute(select(func.count()).select_from(of_them.subquery()))).scalar_one(),
        "citations": (await connection.execute(cited)).scalar_one(),
        "conversations": (await connection.execute(delete(CONVERSATIONS).where(which))).rowcount,
    }


def belongs_to(subject: Subject) -> ColumnElement[bool]:
    """Returns the condition for a subject's conversations."""
    if subject.tenant_id:
        return CONVERSATIONS.c.tenant_id == subject.tenant_id
    return CONVERSATIONS.c.user_id == subject.user_id
