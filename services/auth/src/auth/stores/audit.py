"""The audit log in PostgreSQL. Events are added by whoever changes something, in the transaction of the change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Row, Select, and_, insert, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.tenants import AuditEvent, NamedEvent, PageKey
from auth.stores.tables.accounts import MEMBERSHIPS, USERS
from auth.stores.tables.tenants import AUDIT_EVENTS
from servicekit.database import Database

OF_ACTOR = and_(
    MEMBERSHIPS.c.user_id == AUDIT_EVENTS.c.actor_user_id, MEMBERSHIPS.c.tenant_id == AUDIT_EVENTS.c.tenant_id
)


class PostgresAuditStore:
    """An AuditStore. A tenant's events open with the tenant, all of them to staff."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event: AuditEvent) -> None:
        """Adds the event of an act by staff that changes nothing."""
        async with self._database.transaction(scope="staff") as connection:
            await add_event(connection, event)

    async def list_page(self, tenant_id: str, limit: int, before: PageKey | None) -> Sequence[NamedEvent]:
        """Returns a tenant's events, newest first, with the names of those who are members still."""
        people = AUDIT_EVENTS.outerjoin(
            MEMBERSHIPS.join(USERS, USERS.c.user_id == MEMBERSHIPS.c.user_id),
            OF_ACTOR,
        )
        statement = select(AUDIT_EVENTS, USERS.c.display_name).select_from(people)
        page = newest_first(statement.where(AUDIT_EVENTS.c.tenant_id == tenant_id), AUDIT_EVENTS.c.event_id, before)
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            rows = (await connection.execute(page.limit(limit))).all()
        return [NamedEvent(read_event(row), row.display_name or "") for row in rows]

    async def list_all(self, limit: int, before: PageKey | None) -> Sequence[NamedEvent]:
        """Returns the events of all tenants and of none, newest first."""
        page = newest_first(select(AUDIT_EVENTS), AUDIT_EVENTS.c.event_id, before)
        async with self._database.transaction(scope="staff") as connection:
            return [NamedEvent(read_event(row), "") for row in await connection.execute(page.limit(limit))]


async def add_event(connection: AsyncConnection, event: AuditEvent, **details: str) -> None:
    """Adds an event, with what its transaction has found out beside."""
    event = replace(event, details={**event.details, **details})
    values = {**vars(event), "tenant_id": event.tenant_id or None, "actor_user_id": event.actor_user_id or None}
    await connection.execute(insert(AUDIT_EVENTS).values(**values))


def newest_first(statement: Select[Any], id_column: Column[Any], before: PageKey | None) -> Select[Any]:
    """Orders by create_time and id, newest first, and starts after the row with the key `before`."""
    create_time = id_column.table.c.create_time
    ordered = statement.order_by(create_time.desc(), id_column.desc())
    if before is None:
        return ordered
    last = tuple_(literal(before[0], create_time.type), literal(before[1], id_column.type))
    return ordered.where(tuple_(create_time, id_column) < last)


def read_event(row: Row[Any]) -> AuditEvent:
    """Returns a row's event."""
    details: Mapping[str, str] = row.details
    return AuditEvent(
        create_time=row.create_time,
        action=row.action,
        actor_role=row.actor_role,
        actor_user_id=row.actor_user_id or "",
        tenant_id=row.tenant_id or "",
        target_id=row.target_id,
        details=details,
        event_id=row.event_id,
    )
