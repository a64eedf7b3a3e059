"""PostgreSQL: transactions that declare for whom they act."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from servicekit.errors import AppError, Code, DependencyUnavailable, StorageFull
from servicekit.telemetry import get_logger

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
SET_LOCAL = text("SELECT set_config('docuchat.' || :key, :value, true)")
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    # Class 53: out of memory, too many connections; a full disk is told apart.
    asyncpg.InsufficientResourcesError,
)


class UnfitValue(AppError):
    """Raised when PostgreSQL refuses a value that passed every check before it, such as a date before its first."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_FIELD",
            "A value of the request cannot be stored or compared; check its dates, numbers and NUL characters.",
        )


class Database:
    """A pool of connections as the service's application role."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, url: str, *, name: str, pool_size: int = 10) -> "Database":
        """Makes a pool; connections are opened when they are needed."""
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "command_timeout": STATEMENT_TIMEOUT_SECONDS,
                "server_settings": {"application_name": name},
            },
        )
        return cls(engine)

    @asynccontextmanager
    async def transaction(self, **settings: str) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction that sees only the rows its settings open (row-level security).

        Each setting becomes `docuchat.<key>`, local to the transaction, so a
        pooled connection cannot carry it on. Raises DependencyUnavailable when
        PostgreSQL cannot be reached or has no room for one more, StorageFull
        when its disk is full, UnfitValue when it refuses a value.
        """
        try:
            async with self._engine.begin() as connection:
                for key, value in settings.items():
                    await connection.execute(SET_LOCAL, {"key": key, "value": value})
                yield connection
        except (PoolTimeoutError, ConnectionError, TimeoutError, *AWAY) as error:
            raise DependencyUnavailable("postgresql") from error
        except DBAPIError as error:
            found = explain(error)
            if found is None:
                raise
            raise found from error

    async def ping(self) -> str:
        """Returns the server's version. Raises DependencyUnavailable."""
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS), self.transaction() as connection:
            return str((await connection.execute(text("SHOW server_version"))).scalar_one())

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


def explain(error: DBAPIError) -> AppError | None:
    """Returns what a failed statement means for the caller; None where it is a mistake of ours."""
    cause = error.orig and error.orig.__cause__
    if isinstance(cause, asyncpg.DiskFullError):
        return StorageFull("postgresql")
    if isinstance(cause, asyncpg.DataError):
        # Only its kind: the text of the error quotes the value.
        get_logger("database").warning("value refused", error=type(cause).__name__)
        return UnfitValue()
    is_away = error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    return DependencyUnavailable("postgresql") if is_away or isinstance(cause, AWAY) else None
