"""What the flows need from outside, and nothing about how it is done."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from auth.model.accounts import (
    Account,
    FailureCount,
    Me,
    Membership,
    RefreshToken,
    Session,
    Tenant,
    Trade,
    User,
    Verdict,
)
from servicekit.identity import Role, Scope

Judge = Callable[[Session, RefreshToken, RefreshToken | None], Verdict]
"""Decides about a refresh token, knowing its successor if it was traded for one."""


class AccountStore(Protocol):
    """Users with their credentials, tenants and memberships."""

    async def create(self, user: User, password_hash: str, tenant: Tenant) -> None:
        """Stores a user who owns a new tenant, all or nothing. Raises EmailTaken or SlugTaken."""
        ...

    async def find_by_email(self, email: str) -> Account | None:
        """Returns the account of an address in lower case."""
        ...

    async def replace_password_hash(self, email: str, password_hash: str) -> None:
        """Stores another hash of the same password."""
        ...

    async def find_me(self, user_id: str) -> Me | None:
        """Returns a user with the oldest 100 memberships."""
        ...

    async def find_membership(self, user_id: str, tenant_id: str = "") -> Membership | None:
        """Returns what the user is in the tenant, or in the oldest one if none is named."""
        ...


class SessionStore(Protocol):
    """Sessions and the refresh tokens that keep them going."""

    async def open(self, session: Session, token_hash: str) -> None:
        """Stores a session with its first refresh token, and forgets the user's expired ones."""
        ...

    async def trade(
        self,
        token_hash: str,
        successor_hash: str,
        now: datetime,
        judge: Judge,
    ) -> Trade | None:
        """Uses a refresh token up, as one step that concurrent calls wait for.

        `judge` decides: ROTATE stores the successor, REVOKE ends the session,
        REPEAT and REFUSE change nothing. Returns None for an unknown token.
        """
        ...

    async def revoke(self, token_hash: str, now: datetime) -> None:
        """Ends the session that a refresh token belongs to, if there is one."""
        ...

    async def list_revoked(self, since: datetime) -> Sequence[str]:
        """Returns the ids of the sessions that were ended, or lost their membership or user, after a moment."""
        ...


class FailureStore(Protocol):
    """Failed log-ins by address, whether the address has an account or not."""

    async def find(self, email: str) -> FailureCount:
        """Returns the count of an address; zero if it never failed."""
        ...

    async def change(self, email: str, change: Callable[[FailureCount], FailureCount]) -> None:
        """Replaces a count by what `change` makes of it; concurrent calls wait for each other.

        An error that `change` raises leaves the count as it was.
        """
        ...


class PasswordHasher(Protocol):
    """Slow, salted hashing."""

    async def hash(self, password: str) -> str:
        """Returns a hash with its salt and parameters. Raises HasherBusy."""
        ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tells whether they belong together; with no hash it works as long and says no. Raises HasherBusy."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Tells whether the hash was made with weaker parameters than today's."""
        ...


class PlanLimits(Protocol):
    """What the plans of tenants allow."""

    async def find(self, tenant_id: str) -> int:
        """Returns how many calls a minute all callers of a tenant may make; 0 for no limit."""
        ...


class TokenSigner(Protocol):
    """Signs access tokens and publishes the keys that verify them."""

    def sign(  # noqa: PLR0913 - the claims of a token
        self,
        *,
        subject: str,
        role: Role,
        now: datetime,
        expire_time: datetime,
        tenant_id: str = "",
        session_id: str = "",
        scopes: Collection[Scope] | None = None,
        api_key_id: str = "",
        requests_per_minute: int = 0,
    ) -> str:
        """Returns a signed token; services have neither tenant nor session, people neither scopes nor an API key."""
        ...

    def publish(self) -> bytes:
        """Returns the public keys as a JWK Set."""
        ...


class Successors(Protocol):
    """What refresh tokens are traded for."""

    def derive(self, refresh_token: str) -> str:
        """Returns the successor, the same each time; nobody else can compute it."""
        ...


class GuessCounter(Protocol):
    """How hard a password is to guess."""

    async def count_log10(self, password: str, known: Sequence[str]) -> float:
        """Returns the power of ten of the guesses; words in `known` are guessed first. Raises HasherBusy."""
        ...


class ServiceSecrets(Protocol):
    """Which service knows which secret."""

    def matches(self, service_name: str, secret: str) -> bool:
        """Tells whether they belong together, in the same time either way."""
        ...
