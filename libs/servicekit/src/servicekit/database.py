"""PostgreSQL: transactions that declare for whom they act."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from servicekit.config import ServiceSettings
from servicekit.errors import AppError, Code, DependencyUnavailable, StorageFull
from servicekit.telemetry import get_logger

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 5
CLOSE_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
ROLLBACK_TIMEOUT_SECONDS = 5
BEGIN_ATTEMPTS = 3
Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    # Class 53: out of memory, too many connections; a full disk is told apart.
    asyncpg.InsufficientResourcesError,
)


@asynccontextmanager
async def open_database(settings: ServiceSettings, *, name: str) -> AsyncIterator["Database"]:
    """Yields the pool that a process's settings describe, known to PostgreSQL by `name`; closes it behind the block."""
    url = settings.database_url.get_secret_value()
    database = Database.connect(url, name=name, pool_size=settings.database_pool_size)
    try:
        yield database
    finally:
        await database.close()


class UnfitValue(AppError):
    """Raised when PostgreSQL refuses a value that passed every check before it, such as a date before its first."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_FIELD",
            "A value of the request cannot be stored or compared; check its dates, numbers and NUL characters.",
        )


@dataclass(frozen=True)
class Lock:
    """An advisory lock that a transaction has from its begin to its end; shared ones keep out the others only."""

    name: str
    is_shared: bool = False


class Database:
    """A pool of connections as the service's application role."""

    def __init__(self, engine: AsyncEngine, pool_size: int) -> None:
        self._engine = engine
        # The pool's own queue serves whoever comes first when a connection is free; this one, whoever waits longest.
        self._pool_size = pool_size
        self._places = asyncio.Semaphore(pool_size)
        event.listen(engine.sync_engine, "checkout", require_clean)

    @classmethod
    def connect(cls, url: str, *, name: str, pool_size: int = 10) -> "Database":
        """Makes a pool; connections are opened when they are needed."""
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            # BEGIN, COMMIT and ROLLBACK are ours: they carry the settings and save SQLAlchemy's round trips.
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "command_timeout": STATEMENT_TIMEOUT_SECONDS,
                "server_settings": {"application_name": name},
            },
        )
        return cls(engine, pool_size)

    @asynccontextmanager
    async def transaction(self, lock: Lock | None = None, /, **settings: str) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction that sees only the rows its settings open (row-level security).

        Each setting becomes `docuchat.<key>`, local to the transaction, so a
        pooled connection cannot carry it on. Its statements see what was
        committed before the lock was had. Raises DependencyUnavailable when
        PostgreSQL cannot be reached or has no room for one more, StorageFull
        when its disk is full, UnfitValue when it refuses a value.
        """
        try:
            async with self._place():
                connection, driver = await self._begin(write_begin(settings, lock))
                try:
                    yield connection
                    await driver.execute("COMMIT")
                except BaseException:
                    await roll_back(driver)
                    raise
                finally:
                    # Nothing in it waits, so that no cancellation comes between.
                    await connection.close()
        except (ConnectionError, TimeoutError, asyncpg.InterfaceError, *AWAY) as error:
            raise DependencyUnavailable("postgresql") from error
        except (DBAPIError, asyncpg.PostgresError) as error:
            found = explain(error)
            if found is None:
                raise
            raise found from error

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Waits for a connection of the pool to be free. Raises TimeoutError."""
        async with asyncio.timeout(POOL_TIMEOUT_SECONDS if self._places.locked() else None):
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def _begin(self, begin: str) -> tuple[AsyncConnection, Driver]:
        """Returns a connection on which a transaction has begun; another one where it turns out to be lost."""
        for attempt in range(1, BEGIN_ATTEMPTS + 1):
            connection = await self._engine.connect()
            driver = find_driver(connection)
            try:
                await driver.execute(begin)
            except BaseException as error:
                is_lost = isinstance(error, Exception) and driver.is_closed()
                try:
                    await roll_back(driver)
                finally:
                    await connection.close()
                if not is_lost or attempt == BEGIN_ATTEMPTS:
                    raise
            else:
                return connection, driver
        raise DependencyUnavailable("postgresql")

    async def ping(self) -> str:
        """Returns the server's version. Raises DependencyUnavailable."""
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS), self.transaction() as connection:
            return str((await connection.execute(text("SHOW server_version"))).scalar_one())

    async def close(self) -> None:
        """Closes all connections, as soon as those in use come back; nobody gets one any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                for _ in range(self._pool_size):
                    await self._places.acquire()
        await self._engine.dispose()


def find_driver(connection: AsyncConnection) -> Driver:
    """Returns the asyncpg connection below one of SQLAlchemy."""
    driver: Driver = connection.sync_connection.connection.driver_connection  # type: ignore[union-attr]
    return driver


def write_begin(settings: Mapping[str, str], lock: Lock | None = None) -> str:
    """Returns what begins a transaction with its settings and its lock, in one round trip. Raises UnfitValue."""
    local = [f"SET LOCAL docuchat.{key} = {quote(value)}" for key, value in settings.items()]
    return "; ".join(["BEGIN", *local, *([write_lock(lock)] if lock else [])])


def write_lock(lock: Lock) -> str:
    """Returns the statement that waits for a lock. Raises UnfitValue."""
    kind = "_shared" if lock.is_shared else ""
    return f"SELECT pg_advisory_xact_lock{kind}(hashtextextended({quote(lock.name)}, 0))"


def quote(value: str) -> str:
    """Returns a value as a literal that no setting of the server reads in another way. Raises UnfitValue."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UnfitValue from error
    if "\0" in value:
        raise UnfitValue
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


async def roll_back(driver: Driver) -> None:
    """Leaves no transaction behind: a connection on which that fails is closed, and its server rolls back."""
    if driver.is_closed():
        return
    try:
        await driver.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_SECONDS)
    except BaseException as error:
        driver.terminate()
        if not isinstance(error, Exception):
            raise


def require_clean(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Has the pool replace a connection that is lost, or in whose transaction somebody still is (which cannot be)."""
    driver: Driver = connection.driver_connection
    if driver.is_closed() or driver.is_in_transaction():
        raise DisconnectionError


def explain(error: DBAPIError | asyncpg.PostgresError) -> AppError | None:
    """Returns what a failed statement means for the caller; None where it is a mistake of ours."""
    cause = error.orig and error.orig.__cause__ if isinstance(error, DBAPIError) else error
    if isinstance(cause, asyncpg.DiskFullError):
        return StorageFull("postgresql")
    if isinstance(cause, asyncpg.DataError):
        # Only its kind: the text of the error quotes the value.
        get_logger("database").warning("value refused", error=type(cause).__name__)
        return UnfitValue()
    is_away = isinstance(error, InterfaceError | OperationalError) or getattr(error, "connection_invalidated", False)
    return DependencyUnavailable("postgresql") if is_away or isinstance(cause, AWAY) else None
