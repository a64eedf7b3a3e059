"""What API keys, and trading them for tokens, need from outside."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from auth.model.accounts import Membership
from auth.model.keys import ApiKey
from servicekit.identity import Principal


class ApiKeyStore(Protocol):
    """API keys, by tenant or by what is known of their secrets."""

    async def add(self, key: ApiKey, *, most: int, forget_before: datetime) -> None:
        """Stores a key, and forgets the user's that ended before a moment.

        Raises ApiKeyLimitReached if the user has `most` already.
        """
        ...

    async def get(self, tenant_id: str, api_key_id: str) -> ApiKey:
        """Returns a key of the tenant. Raises ApiKeyNotFound."""
        ...

    async def list_page(
        self, tenant_id: str, *, user_id: str | None, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[ApiKey]:
        """Returns keys of a user, or of the whole tenant, newest first, before (create_time, api_key_id)."""
        ...

    async def change(self, tenant_id: str, api_key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Replaces a key by what `change` makes of it and returns that; concurrent calls wait for each other.

        An error that `change` raises leaves the key as it was. Raises ApiKeyNotFound.
        """
        ...

    async def find_by_secret(self, secret_hash: str) -> ApiKey | None:
        """Returns the key whose secret, or whose secret before a rotation, has this hash."""
        ...

    async def note_use(self, tenant_id: str, api_key_id: str, moment: datetime) -> None:
        """Stores when a key was last used."""
        ...


class Memberships(Protocol):
    """Who is what in which tenant, at this moment."""

    async def find_membership(self, user_id: str, tenant_id: str = "") -> Membership | None:
        """Returns what the user is in the tenant."""
        ...


class TokenJudge(Protocol):
    """Verifies access tokens."""

    async def verify(self, token: str) -> Principal:
        """Returns the token's principal. Raises TokenExpired, TokenInvalid or DependencyUnavailable."""
        ...
