"""Collections in PostgreSQL, with the user wall in every query."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ingestion.errors import CollectionExists, CollectionNotFound
from ingestion.model import Caller, Collection, CollectionId, Visibility
from ingestion.ports import PageKey
from ingestion.stores.tables import COLLECTIONS, newest_first
from servicekit.database import Database

DEFAULT_NAME = "My documents"


class PostgresCollectionStore:
    """A CollectionStore; the tenant wall is row-level security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, caller: Caller, display_name: str, visibility: Visibility) -> Collection:
        """Adds a collection. Raises CollectionExists."""
        values = _values(caller, display_name, visibility, is_default=False)
        statement = insert(COLLECTIONS).values(values).on_conflict_do_nothing().returning(COLLECTIONS)
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise CollectionExists
        return to_collection(row)

    async def find(self, caller: Caller, collection_id: CollectionId) -> Collection | None:
        """Returns a collection that the caller may see."""
        statement = sa.select(COLLECTIONS).where(COLLECTIONS.c.collection_id == collection_id, visible_to(caller))
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return to_collection(row) if row else None

    async def list_page(self, caller: Caller, limit: int, before: PageKey | None) -> list[Collection]:
        """Returns at most limit collections, newest first, that are older than `before`."""
        statement = newest_first(sa.select(COLLECTIONS).where(visible_to(caller)), COLLECTIONS.c.collection_id, before)
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            rows = (await connection.execute(statement.limit(limit))).mappings().all()
        return [to_collection(row) for row in rows]


def visible_to(caller: Caller) -> sa.ColumnElement[bool]:
    """The user wall: one's own collections and those of the whole tenant."""
    return visible_to_user(caller.user_id)


def visible_to_user(user_id: "str | sa.BindParameter[str]") -> sa.ColumnElement[bool]:
    """The same for a user who is known, or named, when the statement runs."""
    return sa.or_(COLLECTIONS.c.owner_user_id == user_id, COLLECTIONS.c.visibility == Visibility.TENANT.value)


def writable_by(caller: Caller) -> sa.ColumnElement[bool]:
    """Who may add and delete: the owner, and an admin where the tenant shares the collection."""
    shared = sa.and_(COLLECTIONS.c.visibility == Visibility.TENANT.value, sa.literal(caller.is_admin))
    return sa.or_(COLLECTIONS.c.owner_user_id == caller.user_id, shared)


async def require_writable(connection: AsyncConnection, caller: Caller, collection_id: CollectionId) -> None:
    """Raises CollectionNotFound unless the caller may put documents there."""
    statement = sa.select(COLLECTIONS.c.collection_id).where(
        COLLECTIONS.c.collection_id == collection_id, writable_by(caller)
    )
    if (await connection.execute(statement)).one_or_none() is None:
        raise CollectionNotFound


async def ensure_default(connection: AsyncConnection, caller: Caller) -> CollectionId:
    """Returns the id of the caller's default collection, made now if there is none."""
    values = _values(caller, DEFAULT_NAME, Visibility.PRIVATE, is_default=True)
    # The partial unique index decides between two first uploads at once; the loser waits and finds the winner's.
    await connection.execute(insert(COLLECTIONS).values(values).on_conflict_do_nothing())
    statement = sa.select(COLLECTIONS.c.collection_id).where(
        COLLECTIONS.c.owner_user_id == caller.user_id, COLLECTIONS.c.is_default
    )
    return CollectionId(str((await connection.execute(statement)).scalar_one()))


def _values(caller: Caller, display_name: str, visibility: Visibility, *, is_default: bool) -> dict[str, object]:
    return {
        "collection_id": sa.func.gen_random_uuid(),
        "tenant_id": caller.tenant_id,
        "owner_user_id": caller.user_id,
        "display_name": display_name,
        "visibility": visibility.value,
        "is_default": is_default,
        "create_time": sa.func.clock_timestamp(),
    }


def to_collection(row: sa.RowMapping) -> Collection:
    """Maps a row of `collections`."""
    return Collection(
        collection_id=row["collection_id"],
        display_name=row["display_name"],
        visibility=Visibility(row["visibility"]),
        owner_user_id=row["owner_user_id"],
        is_default=row["is_default"],
        create_time=row["create_time"],
    )
