"""Mails that wait, in PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.mail import ClaimedMail, Mail
from auth.stores.tables.mail import OUTBOX
from servicekit.database import Database

LONGEST_REASON = 300


class Seal(Protocol):
    """Keeps mails unreadable while they wait."""

    def close(self, mail_id: str, mail: Mail) -> bytes:
        """Returns a sealed mail."""
        ...

    def open(self, mail_id: str, content: bytes) -> Mail | None:
        """Returns the mail, or None if this is none."""
        ...


class PostgresOutbox:
    """A MailQueue, and what other stores queue mails with in transactions of theirs."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def put(self, connection: AsyncConnection, mail: Mail) -> None:
        """Queues a mail in the caller's transaction: it is sent if that commits, and only then."""
        mail_id = str(uuid4())
        values = {"mail_id": mail_id, "content": self._seal.close(mail_id, mail), "due_time": datetime.now(UTC)}
        await connection.execute(insert(OUTBOX).values(**values))

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> Sequence[ClaimedMail]:
        """Returns mails that are due and that nobody else holds, longest waiting first."""
        free = OUTBOX.c.lease_until.is_(None) | (OUTBOX.c.lease_until <= now)
        due = (
            select(OUTBOX.c.mail_id)
            .where(OUTBOX.c.due_time <= now, OUTBOX.c.dead_time.is_(None), free)
            .order_by(OUTBOX.c.due_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction(mail_due=now.isoformat()) as connection:
            ids = (await connection.execute(due)).scalars().all()
            if not ids:
                return []
            taken = {"lease_until": lease_until, "attempts": OUTBOX.c.attempts + 1}
            claim = update(OUTBOX).where(OUTBOX.c.mail_id.in_(ids)).values(**taken)
            rows = await connection.execute(claim.returning(OUTBOX.c.mail_id, OUTBOX.c.content, OUTBOX.c.attempts))
            return [ClaimedMail(row.mail_id, self._seal.open(row.mail_id, row.content), row.attempts) for row in rows]

    async def finish(self, claimed: ClaimedMail) -> None:
        """Forgets a mail, unless its lease has gone to another process."""
        async with self._database.transaction(mail_id=claimed.mail_id) as connection:
            await connection.execute(delete(OUTBOX).where(is_held(claimed)))

    async def postpone(self, claimed: ClaimedMail, due_time: datetime, why: str) -> None:
        """Lets a mail wait until a moment."""
        await self._note(claimed, due_time=due_time, lease_until=None, last_error=why[:LONGEST_REASON])

    async def bury(self, claimed: ClaimedMail, now: datetime, why: str) -> None:
        """Keeps a mail as a dead letter, which is never tried again."""
        await self._note(claimed, dead_time=now, lease_until=None, last_error=why[:LONGEST_REASON])

    async def forget(self, dead_before: datetime) -> None:
        """Forgets dead letters from before a moment."""
        async with self._database.transaction(mail_due=dead_before.isoformat()) as connection:
            await connection.execute(delete(OUTBOX).where(OUTBOX.c.dead_time < dead_before))

    async def _note(self, claimed: ClaimedMail, **values: object) -> None:
        async with self._database.transaction(mail_id=claimed.mail_id) as connection:
            await connection.execute(update(OUTBOX).where(is_held(claimed)).values(**values))


def is_held(claimed: ClaimedMail) -> ColumnElement[bool]:
    """Returns what is true of a mail that nobody has claimed since."""
    return and_(OUTBOX.c.mail_id == claimed.mail_id, OUTBOX.c.attempts == claimed.attempts)
