"""Proving again who somebody is, before what cannot be undone."""

from dataclasses import dataclass
from datetime import datetime

from auth.accounts.users import Users
from auth.ports.accounts import SessionStore


@dataclass(frozen=True)
class AccountConfirmation:
    """A Confirmation by the account's own password and sessions."""

    users: Users
    sessions: SessionStore

    async def confirm(self, user_id: str, password: str) -> None:
        """Raises InvalidCredentials, TooManyAttempts or AddressLocked unless it is the user's password."""
        await self.users.confirm(user_id, password)

    async def find_session_start(self, user_id: str, session_id: str) -> datetime | None:
        """Returns when a session of the user began."""
        return await self.sessions.find_start(user_id, session_id)
