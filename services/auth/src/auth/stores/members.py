"""Members of tenants in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, exists, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.tenants import MemberNotFound
from auth.model.tenants import AuditEvent, Member, PageKey, Standing
from auth.ports.tenants import Decide
from auth.stores.accounts import read_user
from auth.stores.audit import add_event
from auth.stores.sessions import end_sessions_where
from auth.stores.tables.accounts import MEMBERSHIPS, SESSIONS, TENANTS, USERS
from servicekit.database import Database
from servicekit.identity import Role


class PostgresMemberStore:
    """A MemberStore. Each transaction declares the tenant it manages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(self, tenant_id: str, limit: int, after: PageKey | None) -> Sequence[Member]:
        """Returns members, oldest first."""
        key = tuple_(MEMBERSHIPS.c.create_time, MEMBERSHIPS.c.user_id)
        page = select_members(tenant_id).order_by(*key.clauses).limit(limit)
        if after:
            last = tuple_(literal(after[0], MEMBERSHIPS.c.create_time.type), literal(after[1], USERS.c.user_id.type))
            page = page.where(key > last)
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            return [read_member(row) for row in await connection.execute(page)]

    async def change(
        self, tenant_id: str, user_id: str, decide: Decide, event: AuditEvent, now: datetime
    ) -> Member | None:
        """Changes or removes a member, ends the sessions and adds the event with the role before and after."""
        is_theirs = (SESSIONS.c.tenant_id == tenant_id) & (SESSIONS.c.user_id == user_id)
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            await lock_tenant(connection, tenant_id)
            standing = await find_standing(connection, tenant_id, user_id, event.actor_user_id)
            after = decide(standing)
            before = standing.member
            if after == before:
                return before
            if after is None:
                # The sessions go with the membership, which announces them too.
                await connection.execute(delete(MEMBERSHIPS).where(of_member(tenant_id, user_id)))
            else:
                values = {"role": after.role.value, "is_active": after.is_active}
                await connection.execute(update(MEMBERSHIPS).where(of_member(tenant_id, user_id)).values(**values))
                await end_sessions_where(connection, is_theirs, now)
            await add_event(connection, event, **describe_change(before, after))
        return after


async def lock_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    """Makes everyone wait who would change the tenant's members, or the tenant."""
    await connection.execute(select(TENANTS.c.tenant_id).where(TENANTS.c.tenant_id == tenant_id).with_for_update())


async def find_standing(connection: AsyncConnection, tenant_id: str, user_id: str, actor_user_id: str) -> Standing:
    """Returns a member and what has to be known to change it. Raises MemberNotFound."""
    row = (await connection.execute(select_members(tenant_id).where(USERS.c.user_id == user_id))).one_or_none()
    if row is None:
        raise MemberNotFound
    return Standing(
        member=read_member(row),
        actor_role=await find_role(connection, tenant_id, actor_user_id),
        has_other_owner=await has_other_owner(connection, tenant_id, user_id),
    )


async def find_role(connection: AsyncConnection, tenant_id: str, user_id: str) -> Role | None:
    """Returns what a user is in the tenant now; None for nobody and for who may not work in it."""
    active = MEMBERSHIPS.c.is_active & of_member(tenant_id, user_id)
    role = (await connection.execute(select(MEMBERSHIPS.c.role).where(active))).scalar_one_or_none()
    return Role(role) if role else None


async def has_other_owner(connection: AsyncConnection, tenant_id: str, user_id: str) -> bool:
    """Tells whether somebody else owns the tenant and may work in it."""
    owns = (MEMBERSHIPS.c.tenant_id == tenant_id) & (MEMBERSHIPS.c.role == Role.OWNER.value) & MEMBERSHIPS.c.is_active
    other = owns & (MEMBERSHIPS.c.user_id != user_id) & USERS.c.is_active
    found = exists().where(other, USERS.c.user_id == MEMBERSHIPS.c.user_id)
    return bool((await connection.execute(select(found))).scalar_one())


def of_member(tenant_id: str, user_id: str) -> Any:  # noqa: ANN401 - SQLAlchemy's own type for it has a parameter that says nothing
    """Returns the condition for one membership."""
    return (MEMBERSHIPS.c.tenant_id == tenant_id) & (MEMBERSHIPS.c.user_id == user_id)


def select_members(tenant_id: str) -> Select[Any]:
    """Returns the query for a tenant's members."""
    joined = USERS.join(MEMBERSHIPS, MEMBERSHIPS.c.user_id == USERS.c.user_id)
    columns = (MEMBERSHIPS.c.role, MEMBERSHIPS.c.is_active, MEMBERSHIPS.c.create_time)
    labelled = [column.label(f"member_{column.name}") for column in columns]
    return select(USERS, *labelled).select_from(joined).where(MEMBERSHIPS.c.tenant_id == tenant_id)


def read_member(row: Row[Any]) -> Member:
    """Returns a row's member."""
    return Member(read_user(row), Role(row.member_role), row.member_is_active, row.member_create_time)


def describe_change(before: Member, after: Member | None) -> dict[str, str]:
    """Returns what an audit event says about a change of role or activity."""
    told = {"role_before": before.role.value}
    if after and after.role is not before.role:
        told["role_after"] = after.role.value
    if after and after.is_active is not before.is_active:
        told["is_active"] = str(after.is_active).lower()
    return told
