"""Users, credentials, tenants and memberships in PostgreSQL."""

from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.accounts import EmailTaken, SlugTaken
from auth.model.accounts import Account, Me, Membership, Tenant, User
from auth.stores.tables.accounts import CREDENTIALS, MEMBERSHIPS, TENANTS, USERS
from servicekit.database import Database
from servicekit.identity import Role

MAX_MEMBERSHIPS = 100
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

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: User, password_hash: str, tenant: Tenant) -> None:
        """Stores a user who owns a new tenant, all or nothing. Raises EmailTaken or SlugTaken."""
        settings = {"email": user.email, "user_id": user.user_id, "tenant_id": tenant.tenant_id}
        async with self._database.transaction(**settings) as connection:
            await insert_user(connection, user, password_hash)
            await insert_tenant(connection, tenant)
            await insert_owner(connection, tenant, user.user_id)

    async def find_by_email(self, email: str) -> Account | None:
        """Returns the account of an address in lower case."""
        query = (
            select(USERS, CREDENTIALS.c.password_hash)
            .join(CREDENTIALS, CREDENTIALS.c.user_id == USERS.c.user_id)
            .where(USERS.c.email == email)
        )
        async with self._database.transaction(email=email) as connection:
            row = (await connection.execute(query)).one_or_none()
        return Account(read_user(row), row.password_hash) if row else None

    async def replace_password_hash(self, email: str, password_hash: str) -> None:
        """Stores another hash of the same password."""
        # By address, because that is the setting which opens credentials.
        owner = select(USERS.c.user_id).where(USERS.c.email == email).scalar_subquery()
        update = CREDENTIALS.update().where(CREDENTIALS.c.user_id == owner)
        async with self._database.transaction(email=email) as connection:
            await connection.execute(update.values(password_hash=password_hash, update_time=func.now()))

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


async def insert_user(connection: AsyncConnection, user: User, password_hash: str) -> None:
    """Inserts a user with a password. Raises EmailTaken."""
    values = {"user_id": user.user_id, "create_time": user.create_time}
    # Asking first and inserting then would let two sign-ups at once both find the address free.
    statement = insert(USERS).values(**values, email=user.email, display_name=user.display_name)
    inserted = await connection.execute(statement.on_conflict_do_nothing(index_elements=["email"]))
    if inserted.rowcount == 0:
        raise EmailTaken
    credential = {"user_id": user.user_id, "password_hash": password_hash, "update_time": user.create_time}
    await connection.execute(insert(CREDENTIALS).values(**credential))


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
    return User(
        user_id=row.user_id,
        email=row.email,
        display_name=row.display_name,
        create_time=row.create_time,
        username=row.username,
        first_name=row.first_name,
        last_name=row.last_name,
        language=row.language,
        is_staff=row.is_staff,
        is_active=row.is_active,
    )


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
