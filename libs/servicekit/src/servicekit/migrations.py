"""Running a service's own Alembic history in its own schema."""

from importlib.util import find_spec
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.operations import Operations
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine


def find_migrations(service: str) -> Path:
    """Returns the folder of a service's migrations, beside its src folder."""
    spec = find_spec(service)
    if spec is None or spec.origin is None:
        raise LookupError(f"the package {service} is not installed")
    return Path(spec.origin).parents[2] / "migrations"


async def run_migrations(service: str, owner_url: str) -> None:
    """Brings a service's schema up to date, as the role that owns it."""
    config = Config()
    config.set_main_option("script_location", str(find_migrations(service)))
    config.attributes["schema"] = service
    engine = create_async_engine(owner_url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, config)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run_env() -> None:
    """The whole of a service's migrations/env.py."""
    schema = context.config.attributes["schema"]
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table_schema=schema, include_schemas=True)
    with context.begin_transaction():
        # Two replicas that start together must not migrate together.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": schema})
        context.run_migrations()
        keep_history_private(connection, schema)
    connection.commit()


def keep_history_private(connection: Connection, schema: str) -> None:
    """Hides Alembic's own table from everyone but its owner, so that every table of a schema has its wall."""
    table = f"{schema}.alembic_version"
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS history_of_owner ON {table}",
        f"CREATE POLICY history_of_owner ON {table} TO CURRENT_USER USING (true)",
    ):
        connection.execute(text(statement))


def enable_row_security(op: Operations, schema: str, table: str, policy: str) -> None:
    """Forces row-level security on a table: a row is seen and written only where `policy` (SQL) holds."""
    name = f"{schema}.{table}"
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_wall ON {name} USING ({policy}) WITH CHECK ({policy})")
