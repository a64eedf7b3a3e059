"""Failed attempts by address and client in PostgreSQL."""

import hashlib
from collections.abc import Callable

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.accounts import Attempt, FailureCount, Failures
from auth.stores.tables.accounts import LOGIN_FAILURES
from servicekit.database import Database

EVERYWHERE = ""
COLUMNS = LOGIN_FAILURES.c


class PostgresFailureStore:
    """A FailureStore. Each transaction declares the hash of the address it is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, attempt: Attempt) -> Failures:
        """Returns the counts that concern an attempt; zero where nothing failed."""
        async with self._database.transaction(address_hash=hash_text(attempt.email)) as connection:
            return await read_counts(connection, attempt)

    async def change(self, attempt: Attempt, change: Callable[[Failures], Failures]) -> None:
        """Replaces the counts by what `change` makes of them; concurrent calls wait for each other."""
        key = hash_text(attempt.email)
        async with self._database.transaction(address_hash=key) as connection:
            # Not a row lock: most addresses have no row, and a good log-in should not make one.
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
            before = await read_counts(connection, attempt)
            after = change(before)
            if after.here != before.here:
                await write_count(connection, attempt, hash_client(attempt), after.here)
            if after.everywhere != before.everywhere:
                await write_count(connection, attempt, EVERYWHERE, after.everywhere)

    async def forget(self, email: str) -> None:
        """Forgets all that ever failed for an address."""
        key = hash_text(email)
        async with self._database.transaction(address_hash=key) as connection:
            await connection.execute(delete(LOGIN_FAILURES).where(COLUMNS.address_hash == key))


def hash_text(text: str) -> str:
    """Returns SHA-256 in hex: people type passwords into the wrong field, and this table keeps what was typed."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_client(attempt: Attempt) -> str:
    """Returns what a client's count is found by; a device and an address of the network never share one."""
    return hash_text(f"{'device' if attempt.is_known else 'address'} {attempt.client}")


async def read_counts(connection: AsyncConnection, attempt: Attempt) -> Failures:
    """Returns the counts that concern an attempt."""
    here = hash_client(attempt)
    query = select(LOGIN_FAILURES).where(
        COLUMNS.address_hash == hash_text(attempt.email),
        COLUMNS.purpose == attempt.purpose.value,
        COLUMNS.client_hash.in_([here, EVERYWHERE]),
    )
    found = {row.client_hash: FailureCount(row.failures, row.last_time) for row in await connection.execute(query)}
    return Failures(found.get(here, FailureCount()), found.get(EVERYWHERE, FailureCount()))


async def write_count(connection: AsyncConnection, attempt: Attempt, client_hash: str, count: FailureCount) -> None:
    """Stores a count; zero is the absence of a row."""
    key = {
        "address_hash": hash_text(attempt.email),
        "purpose": attempt.purpose.value,
        "client_hash": client_hash,
    }
    if count.failures == 0:
        await connection.execute(delete(LOGIN_FAILURES).filter_by(**key))
        return
    values = {"failures": count.failures, "last_time": count.last_time}
    statement = insert(LOGIN_FAILURES).values(**key, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
