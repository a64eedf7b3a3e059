"""Tenants in PostgreSQL: made, renamed, closed and opened, each with its audit event."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.tenants import TooManyTenants
from auth.model.accounts import Tenant
from auth.model.tenants import AuditEvent, PageKey
from auth.stores.accounts import insert_owner, insert_tenant, read_tenant
from auth.stores.audit import add_event, newest_first
from auth.stores.sessions import end_sessions_where
from auth.stores.tables.accounts import MEMBERSHIPS, SESSIONS, TENANTS
from servicekit.database import Database


class PostgresTenantStore:
    """A TenantStore. Each transaction declares the tenant it manages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: Tenant, owner_user_id: str, event: AuditEvent, *, most: int) -> None:
        """Stores a tenant with its owner. Raises SlugTaken, TooManyTenants."""
        settings = {"managed_tenant_id": tenant.tenant_id, "user_id": owner_user_id}
        async with self._database.transaction(**settings) as connection:
            await require_room(connection, owner_user_id, most)
            await insert_tenant(connection, tenant)
            await insert_owner(connection, tenant, owner_user_id)
            await add_event(connection, event)

    async def create_unowned(self, tenant: Tenant, event: AuditEvent) -> None:
        """Stores a tenant that nobody is a member of. Raises SlugTaken."""
        async with self._database.transaction(managed_tenant_id=tenant.tenant_id) as connection:
            await insert_tenant(connection, tenant)
            await add_event(connection, event)

    async def find(self, tenant_id: str) -> Tenant | None:
        """Returns a tenant."""
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            row = (await connection.execute(select(TENANTS).where(TENANTS.c.tenant_id == tenant_id))).one_or_none()
        return read_tenant(row) if row else None

    async def rename(self, tenant_id: str, display_name: str, event: AuditEvent) -> Tenant | None:
        """Gives a tenant another name."""
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            return await change_tenant(connection, tenant_id, event, {"display_name": display_name})

    async def suspend(self, tenant_id: str, event: AuditEvent, now: datetime) -> Tenant | None:
        """Closes a tenant and ends its sessions."""
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            await end_sessions_where(connection, SESSIONS.c.tenant_id == tenant_id, now)
            since = func.coalesce(TENANTS.c.suspend_time, now)
            return await change_tenant(connection, tenant_id, event, {"suspend_time": since})

    async def resume(self, tenant_id: str, event: AuditEvent) -> Tenant | None:
        """Opens a tenant."""
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            return await change_tenant(connection, tenant_id, event, {"suspend_time": None})

    async def list_page(self, limit: int, before: PageKey | None) -> Sequence[Tenant]:
        """Returns all tenants, newest first."""
        page = newest_first(select(TENANTS), TENANTS.c.tenant_id, before)
        async with self._database.transaction(scope="staff") as connection:
            return [read_tenant(row) for row in await connection.execute(page.limit(limit))]


async def change_tenant(
    connection: AsyncConnection, tenant_id: str, event: AuditEvent, values: dict[str, object]
) -> Tenant | None:
    """Updates a tenant and adds the event; does neither where there is no such tenant."""
    statement = update(TENANTS).where(TENANTS.c.tenant_id == tenant_id).values(**values).returning(TENANTS)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    await add_event(connection, event)
    return read_tenant(row)


async def require_room(connection: AsyncConnection, user_id: str, most: int) -> None:
    """Raises TooManyTenants unless a user may become a member of one more; concurrent calls wait for each other."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"auth.room/{user_id}", 0))))
    count = select(func.count()).select_from(MEMBERSHIPS).where(MEMBERSHIPS.c.user_id == user_id)
    if (await connection.execute(count)).scalar_one() >= most:
        raise TooManyTenants(most)
