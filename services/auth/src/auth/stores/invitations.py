"""Invitations in PostgreSQL: the secret's hash, and who it was sent to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.accounts.homes import require_usable
from auth.errors.tenants import (
    AlreadyMember,
    InvitationForOtherAddress,
    InvitationNotFound,
    RoleNotAllowed,
    TooManyInvitations,
)
from auth.model.accounts import Membership
from auth.model.tenants import AuditEvent, Invitation, InvitationLetter, PageKey
from auth.stores.accounts import read_membership, select_memberships
from auth.stores.audit import add_event, newest_first
from auth.stores.members import find_role, lock_tenant
from auth.stores.tables.accounts import MEMBERSHIPS, USERS
from auth.stores.tables.tenants import INVITATIONS
from auth.stores.tenants import require_room
from servicekit.database import Database
from servicekit.identity import Role

COUNTED = timedelta(hours=24)
QueueLetter = Callable[[AsyncConnection, InvitationLetter], Awaitable[None]]
"""Queues a letter in the transaction of the invitation."""


class PostgresInvitationStore:
    """An InvitationStore. Its transactions declare the tenant, or the hash of the secret that was shown."""

    def __init__(self, database: Database, queue: QueueLetter) -> None:
        self._database = database
        self._queue = queue

    async def create(
        self, invitation: Invitation, token_hash: str, letter: InvitationLetter, event: AuditEvent, *, most: int
    ) -> None:
        """Stores an invitation and queues its letter. Raises AlreadyMember, RoleNotAllowed, TooManyInvitations."""
        now, tenant_id = invitation.create_time, invitation.tenant_id
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            await lock_tenant(connection, tenant_id)
            if invitation.role is Role.OWNER and invitation.inviter_user_id:
                await require_owner(connection, tenant_id, invitation.inviter_user_id)
            await require_stranger(connection, tenant_id, invitation.email)
            await require_few(connection, tenant_id, now - COUNTED, most)
            await forget_old(connection, tenant_id, now - COUNTED)
            replaced = is_open(tenant_id, now) & (INVITATIONS.c.email == invitation.email)
            await connection.execute(update(INVITATIONS).where(replaced).values(close_time=now))
            values = {**vars(invitation), "role": invitation.role.value, "token_hash": token_hash}
            values["inviter_user_id"] = invitation.inviter_user_id or None
            await connection.execute(insert(INVITATIONS).values(**values))
            await self._queue(connection, letter)
            await add_event(connection, event)

    async def list_page(
        self, tenant_id: str, now: datetime, limit: int, before: PageKey | None
    ) -> Sequence[Invitation]:
        """Returns open invitations, newest first."""
        page = newest_first(
            select(INVITATIONS).where(is_open(tenant_id, now)), INVITATIONS.c.invitation_id, before
        ).limit(limit)
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            return [read_invitation(row) for row in await connection.execute(page)]

    async def revoke(self, tenant_id: str, invitation_id: str, event: AuditEvent, now: datetime) -> None:
        """Voids an open invitation. Raises InvitationNotFound, RoleNotAllowed."""
        this = is_open(tenant_id, now) & (INVITATIONS.c.invitation_id == invitation_id)
        statement = update(INVITATIONS).where(this).values(close_time=now).returning(INVITATIONS.c.role)
        async with self._database.transaction(managed_tenant_id=tenant_id) as connection:
            role = (await connection.execute(statement)).scalar_one_or_none()
            if role is None:
                raise InvitationNotFound
            if role == Role.OWNER.value:
                await require_owner(connection, tenant_id, event.actor_user_id)
            await add_event(connection, event)

    async def accept(self, token_hash: str, user_id: str, event: AuditEvent, now: datetime, *, most: int) -> Membership:
        """Makes a user a member, once.

        Raises InvitationNotFound, InvitationForOtherAddress, AlreadyMember, TooManyTenants.
        """
        async with self._database.transaction(user_id=user_id, invitation_hash=token_hash) as connection:
            invitation = await use_invitation(connection, token_hash, now)
            email = (await connection.execute(select(USERS.c.email).where(USERS.c.user_id == user_id))).scalar_one()
            if email != invitation.email:
                raise InvitationForOtherAddress
            await require_room(connection, user_id, most)
            await join_tenant(connection, invitation, user_id, now)
            told = replace(event, tenant_id=invitation.tenant_id, target_id=invitation.invitation_id)
            await add_event(connection, told, role=invitation.role.value)
            mine = select_memberships(user_id).where(MEMBERSHIPS.c.tenant_id == invitation.tenant_id)
            membership = read_membership((await connection.execute(mine)).one())
            # Nobody comes in while the tenant is suspended or being erased; what was done so far is undone.
            require_usable(membership)
            return membership


async def use_invitation(connection: AsyncConnection, token_hash: str, now: datetime) -> Invitation:
    """Closes the open invitation of a secret; whoever comes second waits and finds none. Raises InvitationNotFound."""
    this = (INVITATIONS.c.token_hash == token_hash) & is_unused(now)
    statement = update(INVITATIONS).where(this).values(close_time=now).returning(INVITATIONS)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise InvitationNotFound
    return read_invitation(row)


async def join_tenant(connection: AsyncConnection, invitation: Invitation, user_id: str, now: datetime) -> None:
    """Inserts the membership that an invitation promises. Raises AlreadyMember."""
    values = {"user_id": user_id, "tenant_id": invitation.tenant_id, "create_time": now}
    statement = upsert(MEMBERSHIPS).values(**values, role=invitation.role.value).on_conflict_do_nothing()
    if (await connection.execute(statement)).rowcount == 0:
        raise AlreadyMember


async def require_owner(connection: AsyncConnection, tenant_id: str, user_id: str) -> None:
    """Raises RoleNotAllowed unless a user owns the tenant at this moment."""
    if await find_role(connection, tenant_id, user_id) is not Role.OWNER:
        raise RoleNotAllowed


async def require_stranger(connection: AsyncConnection, tenant_id: str, email: str) -> None:
    """Raises AlreadyMember if a member has the address."""
    member = (MEMBERSHIPS.c.tenant_id == tenant_id) & (MEMBERSHIPS.c.user_id == USERS.c.user_id)
    found = exists().where(member, USERS.c.email == email)
    if (await connection.execute(select(found))).scalar_one():
        raise AlreadyMember


async def require_few(connection: AsyncConnection, tenant_id: str, since: datetime, most: int) -> None:
    """Raises TooManyInvitations if the tenant has sent that many since a moment, whatever became of them."""
    sent = (INVITATIONS.c.tenant_id == tenant_id) & (INVITATIONS.c.create_time > since)
    count = select(func.count()).select_from(INVITATIONS).where(sent)
    if (await connection.execute(count)).scalar_one() >= most:
        raise TooManyInvitations(most)


async def forget_old(connection: AsyncConnection, tenant_id: str, before: datetime) -> None:
    """Removes a tenant's invitations that were over before a moment: they hold addresses, and serve nobody."""
    over = or_(INVITATIONS.c.close_time < before, INVITATIONS.c.expire_time < before)
    await connection.execute(delete(INVITATIONS).where(INVITATIONS.c.tenant_id == tenant_id, over))


def is_unused(now: datetime) -> ColumnElement[bool]:
    """Returns the condition for invitations that can be accepted."""
    return INVITATIONS.c.close_time.is_(None) & (INVITATIONS.c.expire_time > now)


def is_open(tenant_id: str, now: datetime) -> ColumnElement[bool]:
    """Returns the condition for a tenant's invitations that can be accepted."""
    return (INVITATIONS.c.tenant_id == tenant_id) & is_unused(now)


def read_invitation(row: Row[Any]) -> Invitation:
    """Returns a row's invitation."""
    return Invitation(
        invitation_id=row.invitation_id,
        tenant_id=row.tenant_id,
        email=row.email,
        role=Role(row.role),
        inviter_user_id=row.inviter_user_id or "",
        create_time=row.create_time,
        expire_time=row.expire_time,
    )
