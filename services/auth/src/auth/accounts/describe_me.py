"""Telling users about themselves."""

from auth.errors import UserGone
from auth.model import Me
from auth.ports import Needs


async def describe_me(needs: Needs, user_id: str) -> Me:
    """Returns the user and the memberships. Raises UserGone."""
    me = await needs.accounts.find_me(user_id)
    if me is None:
        raise UserGone
    return me
