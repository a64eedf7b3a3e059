"""The nouns of auth."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from servicekit.identity import Role


@dataclass(frozen=True)
class User:
    """A person who can log in; `email` is in lower case, and empty once another user has verified it."""

    user_id: str
    email: str
    display_name: str
    create_time: datetime
    username: str = ""
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    is_staff: bool = False
    is_active: bool = True
    is_email_verified: bool = False


@dataclass(frozen=True)
class Tenant:
    """An organisation."""

    tenant_id: str
    slug: str
    display_name: str
    create_time: datetime
    suspend_time: datetime | None = None


@dataclass(frozen=True)
class Membership:
    """What a user is inside one tenant; not `is_active` where the user may not work in it, or in none."""

    tenant: Tenant
    role: Role
    is_active: bool = True


@dataclass(frozen=True)
class Credential:
    """A password as it is remembered: its hash (argon2, with salt and parameters), and a keyed tag of 8 bits.

    The tag tells which account of an address a log-in means without hashing for
    each of them; None in those that were stored before there were tags.
    """

    password_hash: str = field(repr=False)
    tag: int | None = field(repr=False)


@dataclass(frozen=True)
class Account:
    """A user with the password's credential, or None for those who come in by mail alone."""

    user: User
    credential: Credential | None


@dataclass(frozen=True)
class Client:
    """Where a call comes from, as far as it is known.

    `address` is what the gateway saw, `device` a name for people to recognise,
    `language` the first that the client asks for, `device_token` what an earlier
    log-in gave it.
    """

    address: str = ""
    device: str = ""
    language: str = ""
    device_token: str = field(default="", repr=False)


NOBODY = Client()
"""A client that nothing is known about."""


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
    as_staff: bool = False
    device: str = ""
    address: str = ""
    last_use_time: datetime | None = None


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
    device_token: str = field(default="", repr=False)


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


class Purpose(Enum):
    """What is tried for an address, each counted for itself."""

    PASSWORD = "PASSWORD"  # noqa: S105 - a name
    CODE = "CODE"
    SIGN_UP = "SIGN_UP"


class Proof(Enum):
    """How it was shown that an address is a user's."""

    SESSION = "session"  # by a code, from inside a session of the account
    MAIL = "mail"  # by a code alone: of an address never verified, whoever set the password had proven nothing


@dataclass(frozen=True)
class FailureCount:
    """Tries that failed in a row."""

    failures: int = 0
    last_time: datetime | None = None


@dataclass(frozen=True)
class Failures:
    """What failed for an address: from this client, and from all that never logged in to it."""

    here: FailureCount = FailureCount()
    everywhere: FailureCount = FailureCount()


@dataclass(frozen=True)
class Attempt:
    """Somebody tries something for an address. `client` is a device, if it `is_known`, or where the call comes from."""

    purpose: Purpose
    email: str
    client: str
    is_known: bool = False


@dataclass(frozen=True)
class Lifetimes:
    """How long things live."""

    # Short, because nobody asks auth about an access token once it is out.
    access_token: timedelta = timedelta(minutes=15)
    service_token: timedelta = timedelta(hours=1)
    session: timedelta = timedelta(days=7)
    refresh_grace: timedelta = timedelta(seconds=10)
