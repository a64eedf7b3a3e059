"""The nouns of API keys and of what is traded for them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from servicekit.identity import Role, Scope


@dataclass(frozen=True)
class ApiKeyDraft:
    """What somebody asks for who makes a key; `expire_time` None: it does not end by itself."""

    name: str
    scopes: frozenset[Scope]
    expire_time: datetime | None = None
    is_on_behalf_of_allowed: bool = False


@dataclass(frozen=True)
class ApiKey:
    """A credential of a server. Of its secret, and of the one before a rotation, only SHA-256 is known, in hex."""

    api_key_id: str
    tenant_id: str
    user_id: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    is_on_behalf_of_allowed: bool
    create_time: datetime
    expire_time: datetime | None
    secret_hash: str = field(repr=False)
    previous_hash: str | None = field(default=None, repr=False)
    previous_expire_time: datetime | None = None
    revoke_time: datetime | None = None
    last_use_time: datetime | None = None


@dataclass(frozen=True)
class IssuedApiKey:
    """A key with its secret, the one time that somebody knows both."""

    api_key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Grant:
    """What an access token is to say. `end_time`: when it ends at the latest."""

    subject: str
    tenant_id: str
    role: Role
    session_id: str
    end_time: datetime | None = None
    scopes: frozenset[Scope] | None = None
    api_key_id: str = ""
    requests_per_minute: int = 0


@dataclass(frozen=True)
class ExchangeLifetimes:
    """How long what was traded is good, and how old what it rests on may be."""

    token: timedelta = timedelta(minutes=5)
    # The gateway remembers for two seconds more, and a revoked key has to be refused everywhere within five.
    check: timedelta = timedelta(seconds=2)
