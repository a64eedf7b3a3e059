"""What the flows need from outside, and nothing about how it is done."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from auth.model.accounts import (
    Account,
    Attempt,
    Credential,
    Failures,
    Me,
    Membership,
    Proof,
    RefreshToken,
    Session,
    Tenant,
    Trade,
    User,
    Verdict,
)
from auth.model.codes import Code
from auth.model.mail import Mail
from servicekit.identity import Role, Scope

Judge = Callable[[Session, RefreshToken, RefreshToken | None], Verdict]
"""Decides about a refresh token, knowing its successor if it was traded for one."""


class AccountStore(Protocol):
    """Users with their credentials, tenants and memberships."""

    async def create(self, user: User, credential: Credential, tenant: Tenant, code: Code, mail: Mail) -> None:
        """Stores a user who owns a new tenant, a code and its mail, all or nothing. Raises SlugTaken."""
        ...

    async def find_candidates(self, email: str, tag: int) -> Sequence[Account]:
        """Returns at most two accounts of an address whose password may have the tag, a verified one first."""
        ...

    async def find_owner(self, email: str) -> User | None:
        """Returns the user who has verified an address, or else the one who signed up with it first."""
        ...

    async def find_account(self, user_id: str) -> Account | None:
        """Returns a user with the credential."""
        ...

    async def replace_hash(self, user_id: str, credential: Credential) -> None:
        """Stores another hash of the same password."""
        ...

    async def change_password(
        self, user_id: str, credential: Credential, now: datetime, *, keep: str, mail: Mail
    ) -> None:
        """Stores another password, ends the user's sessions but `keep` and queues a mail, all or nothing."""
        ...

    async def verify_email(self, user_id: str, email: str, now: datetime, proof: Proof) -> bool:
        """Makes an address a user's own; other users lose it, and with it their passwords and sessions.

        What a proof by mail ends beside that, Proof says. Returns False, and
        changes nothing, if the address is another's or no longer the user's.
        """
        ...

    async def find_me(self, user_id: str) -> Me | None:
        """Returns a user with the oldest 100 memberships."""
        ...

    async def find_membership(self, user_id: str, tenant_id: str = "") -> Membership | None:
        """Returns what the user is in the tenant; if none is named, in the oldest one that is open to the user."""
        ...

    async def add_tenant(self, user: User, tenant: Tenant) -> None:
        """Stores a tenant that the user owns. Raises SlugTaken."""
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
        address: str = "",
    ) -> Trade | None:
        """Uses a refresh token up, as one step that concurrent calls wait for.

        `judge` decides: ROTATE stores the successor and where it is used from, REVOKE ends the session,
        REPEAT and REFUSE change nothing. Returns None for an unknown token.
        """
        ...

    async def revoke(self, token_hash: str, now: datetime, *, is_everywhere: bool = False) -> None:
        """Ends the session that a refresh token belongs to, or all of its user, if there is one."""
        ...

    async def list_live(self, user_id: str, now: datetime) -> Sequence[Session]:
        """Returns a user's sessions that have not ended, the 100 used last, that one first."""
        ...

    async def revoke_one(self, user_id: str, session_id: str, now: datetime) -> bool:
        """Ends one of a user's sessions; tells whether there was one to end."""
        ...

    async def revoke_all(self, user_id: str, now: datetime, *, keep: str = "") -> int:
        """Ends a user's sessions but `keep`; returns how many."""
        ...

    async def find_start(self, user_id: str, session_id: str) -> datetime | None:
        """Returns when a session of the user began; None for one that is nobody's, or another user's."""
        ...

    async def list_revoked(self, since: datetime) -> Sequence[str]:
        """Returns the ids of the sessions that were ended, or lost their membership or user, after a moment."""
        ...


class FailureStore(Protocol):
    """Failed attempts by address and client, whether the address has an account or not."""

    async def find(self, attempt: Attempt) -> Failures:
        """Returns the counts that concern an attempt; zero where nothing failed."""
        ...

    async def change(self, attempt: Attempt, change: Callable[[Failures], Failures]) -> None:
        """Replaces the counts by what `change` makes of them; concurrent calls wait for each other.

        An error that `change` raises leaves the counts as they were.
        """
        ...

    async def forget(self, email: str) -> None:
        """Forgets all that ever failed for an address."""
        ...


class PasswordHasher(Protocol):
    """Slow, salted hashing."""

    def require_room(self) -> None:
        """Raises HasherBusy where a hash would be refused now."""
        ...

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
