"""Codes by mail, and tallies, in PostgreSQL."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.codes import Code, Tally
from auth.model.mail import Mail
from auth.stores.outbox import PostgresOutbox
from auth.stores.tables.mail import CODES, TALLIES
from servicekit.database import Database

MAX_TRIES = 5


class PostgresCodeStore:
    """A CodeStore. Each transaction declares where its code is found."""

    def __init__(self, database: Database, outbox: PostgresOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def replace(self, code: Code, mail: Mail) -> None:
        """Stores a code in place of the last one and queues its mail, both or neither."""
        async with self._database.transaction(code_key=code.key) as connection:
            await put_code(connection, code)
            await self._outbox.put(connection, mail)

    async def redeem(self, key: str, code_hash: str, now: datetime) -> str | None:
        """Uses a code up and returns its user; None, and one more try, if it is not the one."""
        is_open = (CODES.c.code_key == key) & (CODES.c.expire_time > now) & (CODES.c.tries < MAX_TRIES)
        attempt = update(CODES).where(is_open).values(tries=CODES.c.tries + 1)
        async with self._database.transaction(code_key=key) as connection:
            # Counting takes the row's lock, so of two at once with the right code the second finds none.
            row = (await connection.execute(attempt.returning(CODES.c.code_hash, CODES.c.user_id))).one_or_none()
            if row is None or not hmac.compare_digest(row.code_hash, code_hash):
                return None
            await connection.execute(delete(CODES).where(CODES.c.code_key == key))
        user_id: str | None = row.user_id
        return user_id

    async def forget(self, before: datetime) -> None:
        """Forgets the codes that had expired, and the tallies that had begun, before a moment."""
        async with self._database.transaction(expired_at=before.isoformat()) as connection:
            await connection.execute(delete(CODES).where(CODES.c.expire_time < before))
            await connection.execute(delete(TALLIES).where(TALLIES.c.since < before))


class PostgresTallyStore:
    """A TallyStore. Keys are kept as digests: they hold addresses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, keys: Sequence[str], change: Callable[[Sequence[Tally]], Sequence[Tally]]) -> None:
        """Replaces tallies by what `change` makes of them; concurrent calls wait for each other."""
        digests = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
        async with self._database.transaction(tally_keys=",".join(digests)) as connection:
            # In one order for everyone, so that callers wait for each other and never in a circle.
            for key in sorted(digests):
                await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
            rows = (await connection.execute(select(TALLIES).where(TALLIES.c.tally_key.in_(digests)))).all()
            found = {row.tally_key: Tally(row.taken, row.since) for row in rows}
            after = change([found.get(key, Tally()) for key in digests])
            await put_tallies(connection, dict(zip(digests, after, strict=True)))


async def put_code(connection: AsyncConnection, code: Code) -> None:
    """Stores a code in place of the last one, in a transaction that has declared its key."""
    values = {"code_hash": code.code_hash, "user_id": code.user_id, "tries": 0, "expire_time": code.expire_time}
    statement = insert(CODES).values(code_key=code.key, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["code_key"], set_=values))


async def put_tallies(connection: AsyncConnection, tallies: dict[str, Tally]) -> None:
    """Stores tallies by the digests of their keys."""
    rows = [{"tally_key": key, "taken": tally.taken, "since": tally.since} for key, tally in tallies.items()]
    statement = insert(TALLIES).values(rows)
    fresh = {"taken": statement.excluded.taken, "since": statement.excluded.since}
    await connection.execute(statement.on_conflict_do_update(index_elements=["tally_key"], set_=fresh))
