"""Failed log-ins by address in PostgreSQL."""

import hashlib
from collections.abc import Callable

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.accounts import FailureCount
from auth.stores.tables.accounts import LOGIN_FAILURES
from servicekit.database import Database


class PostgresFailureStore:
    """A FailureStore. Each transaction declares the hash of the address it is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, email: str) -> FailureCount:
        """Returns the count of an address; zero if it never failed."""
        key = hash_address(email)
        async with self._database.transaction(address_hash=key) as connection:
            return await read_count(connection, key)

    async def change(self, email: str, change: Callable[[FailureCount], FailureCount]) -> None:
        """Replaces a count by what `change` makes of it; concurrent calls wait for each other."""
        key = hash_address(email)
        async with self._database.transaction(address_hash=key) as connection:
            # Not a row lock: most addresses have no row, and a good log-in should not make one.
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
            before = await read_count(connection, key)
            after = change(before)
            if after != before:
                await write_count(connection, key, after)


def hash_address(email: str) -> str:
    """Returns SHA-256 in hex: people type passwords into the wrong field, and this table keeps what was typed."""
    return hashlib.sha256(email.encode()).hexdigest()


async def read_count(connection: AsyncConnection, key: str) -> FailureCount:
    """Returns the count of an address."""
    query = select(LOGIN_FAILURES).where(LOGIN_FAILURES.c.address_hash == key)
    row = (await connection.execute(query)).one_or_none()
    return FailureCount(row.failures, row.last_time) if row else FailureCount()


async def write_count(connection: AsyncConnection, key: str, count: FailureCount) -> None:
    """Stores a count; zero is the absence of a row."""
    if count.failures == 0:
        await connection.execute(delete(LOGIN_FAILURES).where(LOGIN_FAILURES.c.address_hash == key))
        return
    values = {"failures": count.failures, "last_time": count.last_time}
    statement = insert(LOGIN_FAILURES).values(address_hash=key, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["address_hash"], set_=values))
