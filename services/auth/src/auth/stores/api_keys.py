"""API keys in PostgreSQL."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, literal, select, tuple_, update

from auth.errors.keys import ApiKeyLimitReached, ApiKeyNotFound
from auth.model.keys import ApiKey
from auth.stores.tables.keys import API_KEYS
from servicekit.database import Database
from servicekit.identity import Scope


class PostgresApiKeyStore:
    """An ApiKeyStore. Each transaction declares the tenant, or the hash of the secret it was shown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, most: int, forget_before: datetime) -> None:
        """Stores a key, and forgets the user's that ended before a moment. Raises ApiKeyLimitReached."""
        own = (API_KEYS.c.tenant_id == key.tenant_id) & (API_KEYS.c.user_id == key.user_id)
        ended = func.least(API_KEYS.c.revoke_time, API_KEYS.c.expire_time) < forget_before
        async with self._database.transaction(tenant_id=key.tenant_id) as connection:
            # Two at once must not both find the last place free.
            lock = func.pg_advisory_xact_lock(func.hashtextextended(f"api keys of {key.user_id}", 0))
            await connection.execute(select(lock))
            await connection.execute(delete(API_KEYS).where(own, ended))
            count = (await connection.execute(select(func.count()).where(own))).scalar_one()
            if count >= most:
                raise ApiKeyLimitReached(most)
            await connection.execute(insert(API_KEYS).values(**write_values(key)))

    async def get(self, tenant_id: str, api_key_id: str) -> ApiKey:
        """Returns a key of the tenant. Raises ApiKeyNotFound."""
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            row = (await connection.execute(select(API_KEYS).where(is_key(tenant_id, api_key_id)))).one_or_none()
        if row is None:
            raise ApiKeyNotFound
        return read_key(row)

    async def list_page(
        self, tenant_id: str, *, user_id: str | None, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[ApiKey]:
        """Returns keys of a user, or of the whole tenant, newest first, before (create_time, api_key_id)."""
        query = (
            select(API_KEYS)
            .where(API_KEYS.c.tenant_id == tenant_id)
            .order_by(API_KEYS.c.create_time.desc(), API_KEYS.c.api_key_id.desc())
        )
        if user_id is not None:
            query = query.where(API_KEYS.c.user_id == user_id)
        if before:
            last = tuple_(literal(before[0]), literal(before[1], API_KEYS.c.api_key_id.type))
            query = query.where(tuple_(API_KEYS.c.create_time, API_KEYS.c.api_key_id) < last)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            return [read_key(row) for row in await connection.execute(query.limit(limit))]

    async def change(self, tenant_id: str, api_key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Replaces a key by what `change` makes of it; concurrent calls wait for each other."""
        this = is_key(tenant_id, api_key_id)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            row = (await connection.execute(select(API_KEYS).where(this).with_for_update())).one_or_none()
            if row is None:
                raise ApiKeyNotFound
            before = read_key(row)
            after = change(before)
            if after != before:
                await connection.execute(update(API_KEYS).where(this).values(**write_values(after)))
        return after

    async def find_by_secret(self, secret_hash: str) -> ApiKey | None:
        """Returns the key whose secret, or whose secret before a rotation, has this hash."""
        query = select(API_KEYS).where(
            (API_KEYS.c.secret_hash == secret_hash) | (API_KEYS.c.previous_hash == secret_hash)
        )
        async with self._database.transaction(key_hash=secret_hash) as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_key(row) if row else None

    async def note_use(self, tenant_id: str, api_key_id: str, moment: datetime) -> None:
        """Stores when a key was last used."""
        statement = update(API_KEYS).where(is_key(tenant_id, api_key_id)).values(last_use_time=moment)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            await connection.execute(statement)


def is_key(tenant_id: str, api_key_id: str) -> ColumnElement[bool]:
    """Returns the condition that finds one key of a tenant."""
    return (API_KEYS.c.tenant_id == tenant_id) & (API_KEYS.c.api_key_id == api_key_id)


def write_values(key: ApiKey) -> dict[str, Any]:
    """Returns a key as a row's values."""
    return {**vars(key), "scopes": sorted(key.scopes)}


def read_key(row: Row[Any]) -> ApiKey:
    """Returns a row's key."""
    values = dict(row._mapping)  # noqa: SLF001 - the public way to a row's names
    return ApiKey(**{**values, "scopes": frozenset(map(Scope, row.scopes))})
