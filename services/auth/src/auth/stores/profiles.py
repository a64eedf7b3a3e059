"""What users say about themselves, and whether they may log in, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.tenants import LastOwner, UsernameTaken
from auth.model.accounts import User
from auth.model.tenants import AuditEvent
from auth.stores.accounts import read_user
from auth.stores.audit import add_event
from auth.stores.members import has_other_owner, lock_tenant
from auth.stores.sessions import end_sessions_where
from auth.stores.tables import declare
from auth.stores.tables.accounts import MEMBERSHIPS, SESSIONS, USERS
from servicekit.database import Database
from servicekit.identity import Role

MOST_FOUND = 100


class PostgresProfileStore:
    """A ProfileStore. Each transaction declares the user or the address it is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self, user_id: str, values: Mapping[str, str]) -> User | None:
        """Changes fields of a user. Raises UsernameTaken."""
        statement = update(USERS).where(USERS.c.user_id == user_id).values(**values).returning(USERS)
        async with self._database.transaction(user_id=user_id) as connection:
            try:
                row = (await connection.execute(statement)).one_or_none()
            except IntegrityError as error:
                if isinstance(error.orig and error.orig.__cause__, asyncpg.UniqueViolationError):
                    raise UsernameTaken from error
                raise
        return read_user(row) if row else None

    async def find_by_email(self, email: str) -> Sequence[User]:
        """Returns the users of an address, the first to sign up first."""
        query = select(USERS).where(USERS.c.email == email).order_by(USERS.c.create_time).limit(MOST_FOUND)
        async with self._database.transaction(email=email) as connection:
            return [read_user(row) for row in await connection.execute(query)]

    async def set_active(self, user_id: str, event: AuditEvent, now: datetime, *, is_active: bool) -> User | None:
        """Lets a user in or out; out ends all sessions. Raises LastOwner."""
        statement = update(USERS).where(USERS.c.user_id == user_id).values(is_active=is_active).returning(USERS)
        async with self._database.transaction(user_id=user_id, scope="staff") as connection:
            if not is_active:
                await require_other_owners(connection, user_id)
                await end_sessions_where(connection, SESSIONS.c.user_id == user_id, now)
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                return None
            await add_event(connection, event)
        return read_user(row)

    async def set_staff(self, email: str, event: AuditEvent, now: datetime, *, is_staff: bool) -> int:
        """Makes whoever has proven an address staff, or not: that ends the sessions as staff. Returns how many."""
        # Anybody can sign up with an address; only who reads its mail is meant.
        meant = (USERS.c.email == email) & USERS.c.is_email_verified
        statement = update(USERS).where(meant).values(is_staff=is_staff).returning(USERS.c.user_id)
        async with self._database.transaction(email=email, scope="staff") as connection:
            user_ids = (await connection.execute(statement)).scalars().all()
            for user_id in user_ids:
                await declare(connection, user_id=user_id)
                if not is_staff:
                    await end_sessions_where(connection, (SESSIONS.c.user_id == user_id) & SESSIONS.c.as_staff, now)
                await add_event(connection, event, user_id=user_id)
        return len(user_ids)


async def require_other_owners(connection: AsyncConnection, user_id: str) -> Sequence[str]:
    """Returns the tenants that only this user is a member of. Raises LastOwner for one that others would be left in.

    The tenants that the user owns are locked until the transaction ends.
    """
    owned = (MEMBERSHIPS.c.user_id == user_id) & (MEMBERSHIPS.c.role == Role.OWNER.value)
    tenant_ids = (
        await connection.execute(select(MEMBERSHIPS.c.tenant_id).where(owned).order_by("tenant_id"))
    ).scalars()
    alone = []
    for tenant_id in tenant_ids.all():
        await declare(connection, managed_tenant_id=tenant_id)
        await lock_tenant(connection, tenant_id)
        if await count_members(connection, tenant_id) == 1:
            alone.append(tenant_id)
        elif not await has_other_owner(connection, tenant_id, user_id):
            raise LastOwner
    await declare(connection, managed_tenant_id="")
    return alone


async def count_members(connection: AsyncConnection, tenant_id: str) -> int:
    """Returns how many members a tenant has."""
    count = select(func.count()).select_from(MEMBERSHIPS).where(MEMBERSHIPS.c.tenant_id == tenant_id)
    return int((await connection.execute(count)).scalar_one())
