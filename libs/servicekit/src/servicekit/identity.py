"""Who calls: the verified principal of the current request."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from servicekit.errors import AppError, Code


class Role(StrEnum):
    """What a principal is inside its tenant, or SERVICE for another service."""

    MEMBER = "MEMBER"
    ADMIN = "ADMIN"
    OWNER = "OWNER"
    STAFF = "STAFF"
    SERVICE = "SERVICE"


class Scope(StrEnum):
    """What an API key may be used for."""

    READ = "READ"
    WRITE = "WRITE"
    ASK = "ASK"
    ADMIN = "ADMIN"


@dataclass(frozen=True)
class Principal:
    """The owner of a verified token. `subject` is a user id, or a service's name.

    For an API key it is the key's maker, or an id that stands for an end user of
    a product, on whose behalf the key acts.
    """

    subject: str
    tenant_id: str
    role: Role
    session_id: str
    expires_at: datetime
    token: str = field(repr=False)
    scopes: frozenset[Scope] | None = None
    """What the API key may be used for; None for people, who may use everything that is open to their role."""
    api_key_id: str = ""
    """The API key that calls; empty for people."""
    requests_per_minute: int = 0
    """How many calls all callers of the tenant may make in a minute; 0 where nothing is said."""

    @property
    def is_service(self) -> bool:
        """Whether another service calls."""
        return self.role is Role.SERVICE

    @property
    def is_admin(self) -> bool:
        """Whether the caller manages the tenant."""
        return self.role in {Role.ADMIN, Role.OWNER}


class TokenMissing(AppError):
    """Raised when a method needs a caller and no access token came."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "TOKEN_MISSING", "Send your access token as 'authorization: Bearer <token>'."
        )


_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)


def current_principal() -> Principal:
    """Returns who calls. Raises TokenMissing where nobody does."""
    found = _principal.get()
    if found is None:
        raise TokenMissing
    return found


def find_principal() -> Principal | None:
    """Returns who calls, or None."""
    return _principal.get()


@contextmanager
def acting_as(principal: Principal | None) -> Iterator[None]:
    """Makes a principal the current one for a block."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)
