"""Proving again who somebody is, before what cannot be undone."""

from dataclasses import dataclass
from datetime import datetime

from auth.accounts.credentials import PasswordChange
from auth.model.accounts import Client
from auth.ports.accounts import SessionStore


@dataclass(frozen=True)
class AccountConfirmation:
    """A Confirmation by the account's own password and sessions."""

    passwords: PasswordChange
    sessions: SessionStore

    async def confirm(self, user_id: str, password: str, client: Client) -> None:
        """Raises WrongPassword, TooManyAttempts or AddressLocked unless it is the user's password."""
        await self.passwords.confirm(user_id, password, client)

    async def find_session_start(self, user_id: str, session_id: str) -> datetime | None:
        """Returns when a session of the user began."""
        return await self.sessions.find_start(user_id, session_id)
