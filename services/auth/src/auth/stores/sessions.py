"""Sessions and refresh tokens in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.model.accounts import RefreshToken, Session, Trade, Verdict
from auth.ports.accounts import Judge
from auth.stores.tables import declare
from auth.stores.tables.accounts import DELETED_SESSIONS, REFRESH_TOKENS, SESSIONS
from servicekit.database import Database

MAX_LISTED = 100


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
        address: str = "",
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
                await note_use(connection, session.session_id, now, address)
            elif verdict is Verdict.REVOKE:
                await end_session(connection, session.session_id, now)
        return Trade(session, verdict)

    async def revoke(self, token_hash: str, now: datetime, *, is_everywhere: bool = False) -> None:
        """Ends the session that a refresh token belongs to, or all of its user, if there is one."""
        query = (
            select(SESSIONS.c.session_id, SESSIONS.c.user_id)
            .join(REFRESH_TOKENS, REFRESH_TOKENS.c.session_id == SESSIONS.c.session_id)
            .where(REFRESH_TOKENS.c.token_hash == token_hash)
        )
        async with self._database.transaction(refresh_hash=token_hash) as connection:
            found = (await connection.execute(query)).one_or_none()
            if found and is_everywhere:
                await declare(connection, user_id=found.user_id)
                await end_sessions(connection, found.user_id, now)
            elif found:
                await end_session(connection, found.session_id, now)

    async def list_live(self, user_id: str, now: datetime) -> Sequence[Session]:
        """Returns a user's sessions that have not ended, the 100 used last, that one first."""
        last_use = func.coalesce(SESSIONS.c.last_use_time, SESSIONS.c.create_time)
        query = (
            select(SESSIONS)
            .where(is_live(user_id), SESSIONS.c.expire_time > now)
            .order_by(last_use.desc(), SESSIONS.c.session_id)
            .limit(MAX_LISTED)
        )
        async with self._database.transaction(user_id=user_id) as connection:
            return [read_session(row) for row in await connection.execute(query)]

    async def revoke_one(self, user_id: str, session_id: str, now: datetime) -> bool:
        """Ends one of a user's sessions; tells whether there was one to end."""
        alive = is_live(user_id) & (SESSIONS.c.session_id == session_id) & (SESSIONS.c.expire_time > now)
        async with self._database.transaction(user_id=user_id) as connection:
            ended = await connection.execute(update(SESSIONS).where(alive).values(revoke_time=now))
        return ended.rowcount > 0

    async def revoke_all(self, user_id: str, now: datetime, *, keep: str = "") -> int:
        """Ends a user's sessions but `keep`; returns how many."""
        async with self._database.transaction(user_id=user_id) as connection:
            return await end_sessions(connection, user_id, now, keep=keep)

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


async def end_sessions(connection: AsyncConnection, user_id: str, now: datetime, *, keep: str = "") -> int:
    """Ends a declared user's sessions but `keep`; returns how many."""
    which = SESSIONS.c.user_id == user_id
    return await end_sessions_where(connection, which & (SESSIONS.c.session_id != keep) if keep else which, now)


async def end_sessions_where(connection: AsyncConnection, which: ColumnElement[bool], now: datetime) -> int:
    """Ends declared sessions that have not ended yet, which is announced; returns how many."""
    alive = which & SESSIONS.c.revoke_time.is_(None) & (SESSIONS.c.expire_time > now)
    return (await connection.execute(update(SESSIONS).where(alive).values(revoke_time=now))).rowcount


async def note_use(connection: AsyncConnection, session_id: str, now: datetime, address: str) -> None:
    """Notes when a session was used last, and from where."""
    used = update(SESSIONS).where(SESSIONS.c.session_id == session_id)
    await connection.execute(used.values(last_use_time=now, address=address))


def is_live(user_id: str) -> ColumnElement[bool]:
    """Returns what is true of a user's sessions that nobody has ended."""
    return and_(SESSIONS.c.user_id == user_id, SESSIONS.c.revoke_time.is_(None))


def read_session(row: Row[Any]) -> Session:
    """Returns a row's session."""
    return Session(**{field.name: getattr(row, field.name) for field in fields(Session)})


def read_token(row: Row[Any]) -> RefreshToken:
    """Returns a row's refresh token."""
    return RefreshToken(row.token_hash, row.session_id, row.create_time, row.use_time)
