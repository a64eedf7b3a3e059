"""The nouns of auth and the errors its flows raise."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from servicekit.errors import AppError, Code, FieldViolation
from servicekit.identity import Role


@dataclass(frozen=True)
class User:
    """A person who can log in; `email` is in lower case."""

    user_id: str
    email: str
    display_name: str
    create_time: datetime


@dataclass(frozen=True)
class Tenant:
    """An organisation."""

    tenant_id: str
    slug: str
    display_name: str
    create_time: datetime


@dataclass(frozen=True)
class Membership:
    """What a user is inside one tenant."""

    tenant: Tenant
    role: Role


@dataclass(frozen=True)
class Account:
    """A user with the hash of the password (argon2, with its salt and parameters)."""

    user: User
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class Registration:
    """What someone says about themselves when signing up; empty names are made up."""

    email: str
    password: str = field(repr=False)
    display_name: str = ""
    tenant_name: str = ""


@dataclass(frozen=True)
class Session:
    """A log-in. It ends at `expire_time`, however often its tokens are refreshed."""

    session_id: str
    user_id: str
    tenant_id: str
    create_time: datetime
    expire_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token as it is remembered: only its SHA-256, in hex."""

    token_hash: str
    session_id: str
    create_time: datetime
    use_time: datetime | None = None


class Verdict(Enum):
    """What becomes of a refresh token that is presented."""

    ROTATE = "rotate"
    REPEAT = "repeat"  # the answer may have been lost: it is given again
    REFUSE = "refuse"
    REVOKE = "revoke"  # somebody else has the token too: the session ends


@dataclass(frozen=True)
class Trade:
    """A presented refresh token's session, and what became of the token."""

    session: Session
    verdict: Verdict


@dataclass(frozen=True)
class Tokens:
    """What a client holds after logging in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: timedelta


@dataclass(frozen=True)
class ServiceToken:
    """What a service holds after proving who it is."""

    access_token: str = field(repr=False)
    expires_in: timedelta


@dataclass(frozen=True)
class SignedUp:
    """A new user, the tenant the user owns, and the first tokens."""

    user: User
    tenant: Tenant
    tokens: Tokens


@dataclass(frozen=True)
class Me:
    """A user and the memberships, oldest first."""

    user: User
    memberships: tuple[Membership, ...]


@dataclass(frozen=True)
class FailureCount:
    """Log-ins that failed in a row for one address."""

    failures: int = 0
    last_time: datetime | None = None


@dataclass(frozen=True)
class Lifetimes:
    """How long things live."""

    # Short, because nobody asks auth about an access token once it is out.
    access_token: timedelta = timedelta(minutes=15)
    service_token: timedelta = timedelta(hours=1)
    session: timedelta = timedelta(days=7)
    refresh_grace: timedelta = timedelta(seconds=10)


class InvalidCredentials(AppError):
    """Raised when address and password do not belong together, whichever is wrong."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_CREDENTIALS", "The e-mail address and the password do not match."
        )


class EmailTaken(AppError):
    """Raised when someone signs up with an address that has an account."""

    def __init__(self) -> None:
        super().__init__(
            Code.ALREADY_EXISTS, "EMAIL_TAKEN", "This e-mail address has an account already; log in instead."
        )


class WeakPassword(AppError):
    """Raised when a new password is too short or among those that are tried first."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "WEAK_PASSWORD",
            f"This password {why}; choose another, such as a sentence only you would say.",
            violations=[FieldViolation("password", why)],
        )


class InvalidRefreshToken(AppError):
    """Raised when a refresh token is unknown, used up, expired or revoked."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN", "This refresh token is no longer good; log in again."
        )


class InvalidServiceCredentials(AppError):
    """Raised when a service's name and secret do not belong together."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_SERVICE_CREDENTIALS", "The service name and the secret do not match."
        )


class TenantNotFound(AppError):
    """Raised when a user asks for a tenant that is not among the own memberships."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "TENANT_NOT_FOUND", "You are a member of no such tenant.")


class TooManyAttempts(AppError):
    """Raised, before the password is looked at, when an address has failed too often."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            f"Too many failed log-ins for this address; try again in {seconds} seconds.",
            retry_after_seconds=seconds,
        )


class AddressLocked(AppError):
    """Raised when an address has failed so often that only the operator opens it again."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            "This address is locked after too many failed log-ins; ask the operator to unlock it.",
            retry_after_seconds=timedelta(days=1).total_seconds(),
        )


class HasherBusy(AppError):
    """Raised when more passwords wait to be hashed than could be served in time."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "OVERLOADED",
            "Too many people log in at this moment; try again in a second.",
            retry_after_seconds=1,
        )


class UserGone(AppError):
    """Raised when a valid token names a user who no longer exists."""

    def __init__(self) -> None:
        super().__init__(Code.UNAUTHENTICATED, "TOKEN_INVALID", "The user behind this token no longer exists.")


class SlugTaken(Exception):
    """Raised by a store when another tenant has the slug; the flow tries another."""
