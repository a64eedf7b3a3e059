"""Who calls, and may they call this method?"""

from collections.abc import Iterable, Sequence

from docuchat.common.v1 import access_pb2
from servicekit.errors import AccessDenied, AppError, Code
from servicekit.identity import Principal, Role, Scope, TokenMissing
from servicekit.rpc.call import Call, Metadata, Rule, is_infrastructure, read_rule
from servicekit.tokens import TokenInvalid, TokenVerifier

BEARER = "bearer "
NO_BEARER = "The authorization header names no bearer token; put Bearer before it: 'authorization: Bearer <token>'."
PEOPLE = {Role.MEMBER, Role.ADMIN, Role.OWNER, Role.STAFF}
ALLOWED = {
    access_pb2.ACCESS_USER: PEOPLE,
    access_pb2.ACCESS_TENANT_ADMIN: {Role.ADMIN, Role.OWNER},
    access_pb2.ACCESS_STAFF: {Role.STAFF},
}
FOR_KEYS = {access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN}


class MethodWithoutAccess(Exception):
    """Raised at start for a method whose proto does not say who may call it."""


class MethodWithoutCallers(Exception):
    """Raised at start for a method between services whose proto does not say which of them may call it."""


class MethodWithoutScope(Exception):
    """Raised at start for a method open to people whose proto does not say which scopes open it to API keys."""


class ScopeMissing(AppError):
    """Raised when an API key has none of the scopes that open a method."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        names = " or ".join(sorted(scopes))
        super().__init__(
            Code.PERMISSION_DENIED,
            "SCOPE_MISSING",
            f"This needs an API key with the scope {names}; make one, or use another.",
            metadata={"scope": names},
        )


class SessionRequired(AppError):
    """Raised when an API key calls what only people may do who have logged in."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "SESSION_REQUIRED",
            "No API key may do this; log in, and send the access token of the session.",
        )


async def authenticate(call: Call, verifier: TokenVerifier) -> Principal | None:
    """Returns the verified caller; None for public methods, which need no token and read none.

    Raises TokenMissing, TokenInvalid, TokenExpired, SessionRequired, ScopeMissing or AccessDenied.
    """
    rule = read_rule(call.method)
    if rule.access == access_pb2.ACCESS_PUBLIC:
        return None
    principal = await verifier.verify(read_bearer(call.metadata))
    if principal.scopes is not None:
        # Before the role: a key without ADMIN has no more than a member's, and what it lacks is the scope.
        require_scope(principal.scopes, rule)
    if not is_allowed(principal, rule):
        raise AccessDenied
    return principal


def require_scope(scopes: frozenset[Scope], rule: Rule) -> None:
    """Raises SessionRequired or ScopeMissing where an API key with these scopes may not call a method."""
    if rule.session_only:
        raise SessionRequired
    if rule.scopes and rule.scopes.isdisjoint(scopes):
        raise ScopeMissing(rule.scopes)


def is_allowed(principal: Principal, rule: Rule) -> bool:
    """Tells whether a method is open to a caller: to people by role, to services by name."""
    if rule.access == access_pb2.ACCESS_SERVICE:
        return principal.is_service and principal.subject in rule.callers
    return principal.role in ALLOWED.get(rule.access, set())


async def find_caller(metadata: Metadata, verifier: TokenVerifier) -> Principal | None:
    """Returns who calls a public method that tells some callers more; None without a token that is good."""
    try:
        return await verifier.verify(read_bearer(metadata))
    except AppError:
        return None


def read_bearer(metadata: Metadata) -> str:
    """Returns the access token. Two of them are refused: hops might disagree on which one counts."""
    sent = [value for key, value in metadata if key == "authorization" and isinstance(value, str)]
    if not sent:
        raise TokenMissing
    if len(sent) > 1:
        raise TokenInvalid
    if not sent[0].lower().startswith(BEARER):
        raise TokenInvalid(NO_BEARER)
    return sent[0][len(BEARER) :].strip()


def require_access_options(methods: Sequence[str]) -> None:
    """Raises MethodWithoutAccess, MethodWithoutCallers or MethodWithoutScope if any method lacks the option."""
    rules = {name: read_rule(name) for name in methods if not is_infrastructure(name)}
    missing = [name for name, rule in rules.items() if rule.access == access_pb2.ACCESS_UNSPECIFIED]
    if missing:
        raise MethodWithoutAccess(f"no (docuchat.common.v1.access) option on {', '.join(missing)}")
    open_to_all = [
        name for name, rule in rules.items() if rule.access == access_pb2.ACCESS_SERVICE and not rule.callers
    ]
    if open_to_all:
        raise MethodWithoutCallers(f"no (docuchat.common.v1.callers) option on {', '.join(open_to_all)}")
    without_scope = [
        name for name, rule in rules.items() if rule.access in FOR_KEYS and bool(rule.scopes) is rule.session_only
    ]
    if without_scope:
        named = ", ".join(without_scope)
        raise MethodWithoutScope(
            f"not one of (docuchat.common.v1.scope) and (docuchat.common.v1.session_only) on {named}"
        )
