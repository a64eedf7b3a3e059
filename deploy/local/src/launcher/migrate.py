"""``python -m launcher.migrate``: the database, the roles and schemas of every service, and all migrations.

One process for all: importing Alembic four times would cost more than the migrations.
"""

import asyncio
import os
import sys
from collections.abc import Mapping

import asyncpg

from launcher.keys import DATABASE_SERVICES
from launcher.postgres import DATABASE
from servicekit.migrations import run_migrations
from servicekit.provision import provision_service

CONNECT_SECONDS = 10
TOTAL_SECONDS = 300


async def migrate(environment: Mapping[str, str]) -> None:
    """Brings the database up to date; repeating it changes nothing."""
    admin = environment["DOCUCHAT_ADMIN_DSN"]
    await _ensure_database(environment["DOCUCHAT_MAINTENANCE_DSN"])
    for service in DATABASE_SERVICES:
        prefix = f"DOCUCHAT_{service.upper()}"
        await provision_service(
            admin, service, environment[f"{prefix}_OWNER_PASSWORD"], environment[f"{prefix}_APPLICATION_PASSWORD"]
        )
        await run_migrations(service, environment[f"{prefix}_OWNER_URL"])
        sys.stdout.write(f"{service}: migrated\n")


async def _ensure_database(maintenance_dsn: str) -> None:
    connection = await asyncpg.connect(maintenance_dsn, timeout=CONNECT_SECONDS)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(migrate(os.environ), TOTAL_SECONDS))
