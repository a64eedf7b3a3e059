"""Ending a session."""

from auth.accounts.sessions import hash_refresh_token
from auth.ports import Needs


async def log_out(needs: Needs, refresh_token: str) -> None:
    """Ends the session of a refresh token, used or not; an unknown one ends nothing."""
    await needs.sessions.revoke(hash_refresh_token(refresh_token), needs.clock())
