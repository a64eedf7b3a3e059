"""Making a service's roles and schema; needs a superuser and is safe to repeat."""

import asyncpg

CONNECT_TIMEOUT_SECONDS = 10


async def provision_service(
    admin_dsn: str, service: str, owner_password: str, application_password: str, database: str | None = None
) -> None:
    """Creates the owner role, the application role and the schema of one service.

    The owner runs migrations. The application role reads and writes rows,
    owns nothing and cannot bypass row-level security.
    """
    connection = await asyncpg.connect(admin_dsn, database=database, timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        owner, application = f"docuchat_{service}_owner", f"docuchat_{service}"
        for role, password in ((owner, owner_password), (application, application_password)):
            await _ensure_role(connection, role, password)
        await _ensure_schema(connection, service, owner, application)
    finally:
        await connection.close()


async def _ensure_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD {quoted}")


async def _ensure_schema(connection: asyncpg.Connection, schema: str, owner: str, application: str) -> None:
    # A superuser that is no superuser on a managed PostgreSQL must be a member of a role to give it a schema.
    await connection.execute(f"GRANT {owner} TO CURRENT_USER")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}")
    await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {application}")
    rights = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT"
    await connection.execute(f"{rights} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {application}")
    await connection.execute(f"{rights} USAGE ON SEQUENCES TO {application}")
