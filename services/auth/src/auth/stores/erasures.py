"""Erasures in PostgreSQL: their receipts, how far they are, and auth's own part of the work."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.tenants import AuditEvent, Erasure, ErasureState
from auth.stores.audit import add_event
from auth.stores.members import lock_tenant
from auth.stores.profiles import require_other_owners
from auth.stores.sessions import end_sessions_where
from auth.stores.tables import declare
from auth.stores.tables.accounts import MEMBERSHIPS, SESSIONS, TENANTS, USERS
from auth.stores.tables.tenants import ERASURES, INVITATIONS
from servicekit.database import Database
from servicekit.erasure import Erased, Subject, add_up


class PostgresErasureStore:
    """An ErasureStore. One erasure opens with its id, all of them to the loop that goes on with them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_user(self, erasure: Erasure, event: AuditEvent, now: datetime) -> Erasure:
        """Ends all of a user's sessions for good and stores the erasure. Raises LastOwner."""
        user_id = erasure.user_id
        settings = {"user_id": user_id, "erasure_id": erasure.erasure_id, "scope": "staff"}
        async with self._database.transaction(**settings) as connection:
            alone = await require_other_owners(connection, user_id)
            await connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(is_active=False))
            await end_sessions_where(connection, SESSIONS.c.user_id == user_id, now)
            return await begin(connection, replace(erasure, tenant_ids=tuple(alone)), event, now)

    async def begin_tenant(self, erasure: Erasure, event: AuditEvent, now: datetime) -> Erasure:
        """Closes the tenants, ends their sessions and stores the erasure."""
        async with self._database.transaction(erasure_id=erasure.erasure_id, scope="staff") as connection:
            return await begin(connection, erasure, event, now)

    async def find(self, erasure_id: str) -> Erasure | None:
        """Returns an erasure."""
        async with self._database.transaction(erasure_id=erasure_id) as connection:
            query = select(ERASURES).where(ERASURES.c.erasure_id == erasure_id)
            row = (await connection.execute(query)).one_or_none()
        return read_erasure(row) if row else None

    async def claim(self, now: datetime, until: datetime) -> Erasure | None:
        """Returns one that is due and puts it off until then; replicas take different ones."""
        due = select(ERASURES.c.erasure_id).where(ERASURES.c.due_time <= now).order_by(ERASURES.c.due_time)
        first = due.limit(1).with_for_update(skip_locked=True).scalar_subquery()
        statement = update(ERASURES).where(ERASURES.c.erasure_id == first).values(due_time=until).returning(ERASURES)
        async with self._database.transaction(scope="erasures") as connection:
            row = (await connection.execute(statement)).one_or_none()
        return read_erasure(row) if row else None

    async def note(self, erasure_id: str, service: str, counts: Mapping[str, int], until: datetime) -> None:
        """Adds what a service has removed, and puts the erasure off until then."""
        this = ERASURES.c.erasure_id == erasure_id
        async with self._database.transaction(erasure_id=erasure_id) as connection:
            known = (await connection.execute(select(ERASURES.c.counts).where(this).with_for_update())).scalar_one()
            values = {"counts": add_counts(known, service, counts), "due_time": until}
            await connection.execute(update(ERASURES).where(this).values(**values))

    async def save(self, erasure: Erasure) -> None:
        """Stores everything of an erasure but its counts."""
        values = {
            "state": erasure.state.value,
            "pending": list(erasure.pending),
            "failures": erasure.failures,
            "complete_time": erasure.complete_time,
            "due_time": erasure.due_time,
        }
        this = ERASURES.c.erasure_id == erasure.erasure_id
        async with self._database.transaction(erasure_id=erasure.erasure_id) as connection:
            await connection.execute(update(ERASURES).where(this).values(**values))


class PostgresEraser:
    """An Eraser of what auth itself keeps. What hangs on a user or a tenant goes with it (ON DELETE CASCADE)."""

    service = "auth"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, subject: Subject) -> Erased:
        """Removes a user or a tenant, in one transaction."""
        counts = await (self._erase_user(subject.user_id) if subject.user_id else self._erase_tenant(subject.tenant_id))
        return Erased(add_up(counts))

    async def _erase_user(self, user_id: str) -> dict[str, int]:
        of_user = USERS.c.user_id == user_id
        async with self._database.transaction(user_id=user_id) as connection:
            email = (await connection.execute(select(USERS.c.email).where(of_user))).scalar_one_or_none()
            await declare(connection, email=email or "")
            used = (INVITATIONS.c.email == email) & INVITATIONS.c.close_time.is_not(None)
            return {
                "memberships": await count(connection, MEMBERSHIPS, user_id=user_id),
                "sessions": await count(connection, SESSIONS, user_id=user_id),
                # Open ones may be meant for somebody else who proves the address one day.
                "invitations": (await connection.execute(delete(INVITATIONS).where(used))).rowcount,
                "users": (await connection.execute(delete(USERS).where(of_user))).rowcount,
            }

    async def _erase_tenant(self, tenant_id: str) -> dict[str, int]:
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            return {
                "memberships": await count(connection, MEMBERSHIPS, tenant_id=tenant_id),
                "sessions": await count(connection, SESSIONS, tenant_id=tenant_id),
                "invitations": await count(connection, INVITATIONS, tenant_id=tenant_id),
                "tenants": (await connection.execute(delete(TENANTS).where(TENANTS.c.tenant_id == tenant_id))).rowcount,
            }


async def begin(connection: AsyncConnection, erasure: Erasure, event: AuditEvent, now: datetime) -> Erasure:
    """Closes the tenants of an erasure, ends their sessions and stores it with its event."""
    for tenant_id in erasure.tenant_ids:
        await declare(connection, managed_tenant_id=tenant_id)
        await lock_tenant(connection, tenant_id)
        since = func.coalesce(TENANTS.c.suspend_time, now)
        await connection.execute(update(TENANTS).where(TENANTS.c.tenant_id == tenant_id).values(suspend_time=since))
        await end_sessions_where(connection, SESSIONS.c.tenant_id == tenant_id, now)
    values = {**vars(erasure), "state": erasure.state.value, "user_id": erasure.user_id or None}
    values |= {"tenant_ids": list(erasure.tenant_ids), "pending": list(erasure.pending)}
    await connection.execute(insert(ERASURES).values(**values))
    await add_event(connection, event, erasure_id=erasure.erasure_id)
    return erasure


async def count(connection: AsyncConnection, table: Any, **which: str) -> int:  # noqa: ANN401 - any of our tables
    """Returns how many rows of a table have these values."""
    return int((await connection.execute(select(func.count()).select_from(table).filter_by(**which))).scalar_one())


def add_counts(
    known: Mapping[str, Mapping[str, int]], service: str, counts: Mapping[str, int]
) -> dict[str, Mapping[str, int]]:
    """Returns the counts by service and kind with those of a service added."""
    after = add_up(known.get(service, {}), counts)
    return {**known, service: after} if after else dict(known)


def read_erasure(row: Row[Any]) -> Erasure:
    """Returns a row's erasure."""
    return Erasure(
        erasure_id=row.erasure_id,
        user_id=row.user_id or "",
        tenant_ids=tuple(row.tenant_ids),
        state=ErasureState(row.state),
        pending=tuple(row.pending),
        create_time=row.create_time,
        counts=row.counts,
        failures=row.failures,
        complete_time=row.complete_time,
        due_time=row.due_time,
    )
