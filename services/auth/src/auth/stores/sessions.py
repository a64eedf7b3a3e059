"""Sessions and refresh tokens in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.accounts import RefreshToken, Session, Trade, Verdict
from auth.ports.accounts import Judge
from auth.stores.tables.accounts import DELETED_SESSIONS, REFRESH_TOKENS, SESSIONS
from servicekit.database import Database


class PostgresSessionStore:
    """A SessionStore. Each transaction declares the user, or the refresh token it was shown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, session: Session, token_hash: str) -> None:
        """Stores a session with its first refresh token, and forgets the user's expired ones."""
        expired = (SESSIONS.c.user_id == session.user_id) & (SESSIONS.c.expire_time <= session.create_time)
        async with self._database.transaction(user_id=session.user_id, refresh_hash=token_hash) as connection:
            # Their refresh tokens go with them (ON DELETE CASCADE).
            await connection.execute(delete(SESSIONS).where(expired))
            await connection.execute(insert(SESSIONS).values(**vars(session)))
            await insert_token(connection, RefreshToken(token_hash, session.session_id, session.create_time))

    async def trade(
        self,
        token_hash: str,
        successor_hash: str,
        now: datetime,
        judge: Judge,
    ) -> Trade | None:
        """Uses a refresh token up as `judge` decides; concurrent calls wait for each other."""
        settings = {"refresh_hash": token_hash, "successor_hash": successor_hash}
        async with self._database.transaction(**settings) as connection:
            found = await lock_token(connection, token_hash)
            if found is None:
                return None
            session, token = found
            verdict = judge(session, token, await find_token(connection, successor_hash))
            if verdict is Verdict.ROTATE:
                await use_token(connection, token, now)
                await insert_token(connection, RefreshToken(successor_hash, session.session_id, now))
            elif verdict is Verdict.REVOKE:
                await end_session(connection, session.session_id, now)
        return Trade(session, verdict)

    async def revoke(self, token_hash: str, now: datetime) -> None:
        """Ends the session that a refresh token belongs to, if there is one."""
        query = select(REFRESH_TOKENS.c.session_id).where(REFRESH_TOKENS.c.token_hash == token_hash)
        async with self._database.transaction(refresh_hash=token_hash) as connection:
            session_id = (await connection.execute(query)).scalar_one_or_none()
            if session_id is not None:
                await end_session(connection, session_id, now)

    async def find_start(self, user_id: str, session_id: str) -> datetime | None:
        """Returns when a session of the user began."""
        query = select(SESSIONS.c.create_time).where(SESSIONS.c.session_id == session_id)
        async with self._database.transaction(user_id=user_id) as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def list_revoked(self, since: datetime) -> Sequence[str]:
        """Returns the ids of the sessions that were ended, or lost their membership or user, after a moment."""
        ended = select(SESSIONS.c.session_id).where(SESSIONS.c.revoke_time > since)
        deleted = select(DELETED_SESSIONS.c.session_id).where(DELETED_SESSIONS.c.delete_time > since)
        query = ended.union(deleted)
        async with self._database.transaction(revoked_since=since.isoformat()) as connection:
            return (await connection.execute(query)).scalars().all()


async def lock_token(connection: AsyncConnection, token_hash: str) -> tuple[Session, RefreshToken] | None:
    """Returns a refresh token and its session, both held until the transaction ends."""
    # The session first for everyone: a log-out and a refresh at once then wait instead of blocking each other.
    by_token = select(REFRESH_TOKENS.c.session_id).where(REFRESH_TOKENS.c.token_hash == token_hash)
    session_id = (await connection.execute(by_token)).scalar_one_or_none()
    session = select(SESSIONS).where(SESSIONS.c.session_id == session_id).with_for_update()
    session_row = (await connection.execute(session)).one_or_none()
    if session_row is None:
        return None
    token = await find_token(connection, token_hash)
    return (read_session(session_row), token) if token else None


async def find_token(connection: AsyncConnection, token_hash: str) -> RefreshToken | None:
    """Returns a refresh token that the transaction has declared."""
    query = select(REFRESH_TOKENS).where(REFRESH_TOKENS.c.token_hash == token_hash)
    row = (await connection.execute(query)).one_or_none()
    return read_token(row) if row else None


async def use_token(connection: AsyncConnection, token: RefreshToken, now: datetime) -> None:
    """Notes when a token was used."""
    of_token = REFRESH_TOKENS.c.token_hash == token.token_hash
    await connection.execute(update(REFRESH_TOKENS).where(of_token).values(use_time=now))


async def insert_token(connection: AsyncConnection, token: RefreshToken) -> None:
    """Inserts a refresh token's hash."""
    await connection.execute(insert(REFRESH_TOKENS).values(**vars(token)))


async def end_session(connection: AsyncConnection, session_id: str, now: datetime) -> None:
    """Ends a session; the first end stands."""
    alive = (SESSIONS.c.session_id == session_id) & SESSIONS.c.revoke_time.is_(None)
    await connection.execute(update(SESSIONS).where(alive).values(revoke_time=now))


def read_session(row: Row[Any]) -> Session:
    """Returns a row's session."""
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        tenant_id=row.tenant_id,
        create_time=row.create_time,
        expire_time=row.expire_time,
        revoke_time=row.revoke_time,
        as_staff=row.as_staff,
    )


def read_token(row: Row[Any]) -> RefreshToken:
    """Returns a row's refresh token."""
    return RefreshToken(row.token_hash, row.session_id, row.create_time, row.use_time)
