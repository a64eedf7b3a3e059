"""Users, credentials, tenants and memberships in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.accounts import SlugTaken
from auth.model.accounts import Account, Credential, Me, Membership, Proof, Tenant, User
from auth.model.codes import Code
from auth.model.mail import Mail
from auth.stores.codes import put_code
from auth.stores.outbox import PostgresOutbox
from auth.stores.sessions import end_sessions
from auth.stores.tables import declare
from auth.stores.tables.accounts import CREDENTIALS, MEMBERSHIPS, TENANTS, USERS
from servicekit.database import Database
from servicekit.identity import Role

MAX_MEMBERSHIPS = 100
# Two passwords of one address have the same tag once in 256 times; a third is not worth a guesser's hash.
MAX_CANDIDATES = 2
VERIFIED_THEN_OLDEST = (USERS.c.is_email_verified.desc(), USERS.c.create_time, USERS.c.user_id)
SELECT_ACCOUNTS = select(USERS, CREDENTIALS.c.password_hash, CREDENTIALS.c.password_tag).select_from(
    USERS.outerjoin(CREDENTIALS, CREDENTIALS.c.user_id == USERS.c.user_id)
)
# Every user's first call: one statement, and put together once.
FIND_ME = (
    select(
        USERS,
        TENANTS.c.tenant_id,
        TENANTS.c.slug,
        TENANTS.c.display_name.label("tenant_display_name"),
        TENANTS.c.create_time.label("tenant_create_time"),
        TENANTS.c.suspend_time,
        MEMBERSHIPS.c.role,
        MEMBERSHIPS.c.is_active.label("is_active_member"),
    )
    .select_from(
        USERS.outerjoin(
            MEMBERSHIPS.join(TENANTS, TENANTS.c.tenant_id == MEMBERSHIPS.c.tenant_id),
            MEMBERSHIPS.c.user_id == USERS.c.user_id,
        )
    )
    .where(USERS.c.user_id == bindparam("me"))
    .order_by(MEMBERSHIPS.c.create_time, MEMBERSHIPS.c.tenant_id)
    .limit(MAX_MEMBERSHIPS)
)


class PostgresAccountStore:
    """An AccountStore. Each transaction declares the address, user or tenant it is about."""

    def __init__(self, database: Database, outbox: PostgresOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def create(self, user: User, credential: Credential, tenant: Tenant, code: Code, mail: Mail) -> None:
        """Stores a user who owns a new tenant, a code and its mail, all or nothing. Raises SlugTaken."""
        settings = {"user_id": user.user_id, "tenant_id": tenant.tenant_id, "code_key": code.key}
        async with self._database.transaction(**settings) as connection:
            await insert_user(connection, user)
            await put_credential(connection, user.user_id, credential, user.create_time)
            await insert_tenant(connection, tenant)
            await insert_owner(connection, tenant, user.user_id)
            await put_code(connection, code)
            await self._outbox.put(connection, mail)

    async def find_candidates(self, email: str, tag: int) -> Sequence[Account]:
        """Returns at most two accounts of an address whose password may have the tag, a verified one first."""
        may_match = (CREDENTIALS.c.password_tag == tag) | CREDENTIALS.c.password_tag.is_(None)
        query = (
            SELECT_ACCOUNTS.where(USERS.c.email == email, CREDENTIALS.c.password_hash.is_not(None), may_match)
            .order_by(*VERIFIED_THEN_OLDEST)
            .limit(MAX_CANDIDATES)
        )
        async with self._database.transaction(email=email) as connection:
            return [read_account(row) for row in await connection.execute(query)]

    async def find_owner(self, email: str) -> User | None:
        """Returns the user who has verified an address, or else the one who signed up with it first."""
        query = select(USERS).where(USERS.c.email == email).order_by(*VERIFIED_THEN_OLDEST).limit(1)
        async with self._database.transaction(email=email) as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_user(row) if row else None

    async def find_account(self, user_id: str) -> Account | None:
        """Returns a user with the credential."""
        async with self._database.transaction(user_id=user_id) as connection:
            row = (await connection.execute(SELECT_ACCOUNTS.where(USERS.c.user_id == user_id))).one_or_none()
        return read_account(row) if row else None

    async def replace_hash(self, user_id: str, credential: Credential) -> None:
        """Stores another hash of the same password."""
        async with self._database.transaction(user_id=user_id) as connection:
            of_user = CREDENTIALS.c.user_id == user_id
            values = {"password_hash": credential.password_hash, "password_tag": credential.tag}
            await connection.execute(CREDENTIALS.update().where(of_user).values(**values, update_time=func.now()))

    async def change_password(
        self, user_id: str, credential: Credential, now: datetime, *, keep: str, mail: Mail
    ) -> None:
        """Stores another password, ends the user's sessions but `keep` and queues a mail, all or nothing."""
        async with self._database.transaction(user_id=user_id) as connection:
            await put_credential(connection, user_id, credential, now)
            await end_sessions(connection, user_id, now, keep=keep)
            await self._outbox.put(connection, mail)

    async def verify_email(self, user_id: str, email: str, now: datetime, proof: Proof) -> bool:
        """Makes an address a user's own; other users lose it, and with it their passwords and sessions."""
        async with self._database.transaction(email=email, user_id=user_id) as connection:
            # Two users who verify one address at once must not take it from each other.
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"verify {email}", 0))))
            users = (await connection.execute(select(USERS).where(USERS.c.email == email))).all()
            found = {row.user_id: row.is_email_verified for row in users}
            if user_id not in found or any(found[each] for each in found if each != user_id):
                return False
            if not found[user_id]:
                await claim_address(connection, user_id, [each for each in found if each != user_id], now)
                if proof is Proof.MAIL:
                    await forget_ways_in(connection, user_id, now)
        return True

    async def find_me(self, user_id: str) -> Me | None:
        """Returns a user with the oldest 100 memberships."""
        async with self._database.transaction(user_id=user_id) as connection:
            rows = (await connection.execute(FIND_ME, {"me": user_id})).all()
        if not rows:
            return None
        # A user without a membership is one row, without a tenant.
        return Me(read_user(rows[0]), tuple(read_my_membership(row) for row in rows if row.tenant_id))

    async def find_membership(self, user_id: str, tenant_id: str = "") -> Membership | None:
        """Returns what the user is in the tenant; if none is named, in the oldest one that is open to the user."""
        query = select_memberships(user_id).limit(1)
        if tenant_id:
            query = query.where(MEMBERSHIPS.c.tenant_id == tenant_id)
        async with self._database.transaction(user_id=user_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_membership(row) if row else None

    async def add_tenant(self, user: User, tenant: Tenant) -> None:
        """Stores a tenant that the user owns. Raises SlugTaken."""
        async with self._database.transaction(user_id=user.user_id, tenant_id=tenant.tenant_id) as connection:
            await insert_tenant(connection, tenant)
            await insert_owner(connection, tenant, user.user_id)


async def insert_user(connection: AsyncConnection, user: User) -> None:
    """Inserts a user."""
    await connection.execute(insert(USERS).values(**vars(user)))


async def put_credential(connection: AsyncConnection, user_id: str, credential: Credential, now: datetime) -> None:
    """Stores a declared user's password in place of the last one."""
    values = {"password_hash": credential.password_hash, "password_tag": credential.tag, "update_time": now}
    statement = insert(CREDENTIALS).values(user_id=user_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))


async def claim_address(connection: AsyncConnection, user_id: str, others: Sequence[str], now: datetime) -> None:
    """Takes an address from others who never verified it, and marks it as the user's."""
    for other in others:
        await declare(connection, user_id=other)
        await connection.execute(update(USERS).where(USERS.c.user_id == other).values(email=None))
        await forget_ways_in(connection, other, now)
    await declare(connection, user_id=user_id)
    await connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(is_email_verified=True))


async def forget_ways_in(connection: AsyncConnection, user_id: str, now: datetime) -> None:
    """Ends a declared user's password and sessions."""
    await connection.execute(delete(CREDENTIALS).where(CREDENTIALS.c.user_id == user_id))
    await end_sessions(connection, user_id, now)


async def insert_tenant(connection: AsyncConnection, tenant: Tenant) -> None:
    """Inserts a tenant without members. Raises SlugTaken."""
    # A conflict that raises would end the transaction with an error that names no column reliably.
    inserted = await connection.execute(
        insert(TENANTS).values(**vars(tenant)).on_conflict_do_nothing(index_elements=["slug"])
    )
    if inserted.rowcount == 0:
        raise SlugTaken


async def insert_owner(connection: AsyncConnection, tenant: Tenant, user_id: str) -> None:
    """Inserts the membership of whoever founds a tenant."""
    values = {"tenant_id": tenant.tenant_id, "user_id": user_id, "create_time": tenant.create_time}
    await connection.execute(insert(MEMBERSHIPS).values(**values, role=Role.OWNER.value))


def select_memberships(user_id: str) -> Select[Any]:
    """Returns the query for a user's memberships with their tenants: those open to the user, then the oldest, first."""
    is_active = MEMBERSHIPS.c.is_active & USERS.c.is_active
    return (
        select(TENANTS, MEMBERSHIPS.c.role, is_active.label("is_active_member"))
        .join(MEMBERSHIPS, MEMBERSHIPS.c.tenant_id == TENANTS.c.tenant_id)
        .join(USERS, USERS.c.user_id == MEMBERSHIPS.c.user_id)
        .where(MEMBERSHIPS.c.user_id == user_id)
        .order_by(
            is_active.desc(),
            TENANTS.c.suspend_time.is_not(None),
            MEMBERSHIPS.c.create_time,
            MEMBERSHIPS.c.tenant_id,
        )
    )


def read_user(row: Row[Any]) -> User:
    """Returns a row's user."""
    # Who lost the address to somebody who has verified it has none.
    columns = {field.name: getattr(row, field.name) for field in fields(User)}
    return User(**{**columns, "email": row.email or ""})


def read_account(row: Row[Any]) -> Account:
    """Returns a row's user with the credential, if there is one."""
    credential = Credential(row.password_hash, row.password_tag) if row.password_hash else None
    return Account(read_user(row), credential)


def read_tenant(row: Row[Any]) -> Tenant:
    """Returns a row's tenant."""
    return Tenant(row.tenant_id, row.slug, row.display_name, row.create_time, row.suspend_time)


def read_membership(row: Row[Any]) -> Membership:
    """Returns a row's membership."""
    return Membership(read_tenant(row), Role(row.role), row.is_active_member)


def read_my_membership(row: Row[Any]) -> Membership:
    """Returns the membership of a row that is a user's too."""
    tenant = Tenant(
        row.tenant_id, row.slug, row.tenant_display_name, row.tenant_create_time, suspend_time=row.suspend_time
    )
    return Membership(tenant, Role(row.role), row.is_active_member and row.is_active)
