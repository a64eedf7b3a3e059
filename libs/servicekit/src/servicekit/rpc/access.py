"""Who calls, and may they call this method?"""

from collections.abc import Iterable, Sequence

from docuchat.common.v1 import access_pb2
from servicekit.errors import AccessDenied, AppError
from servicekit.identity import Principal, Role, TokenMissing
from servicekit.rpc.call import Call, Rule, is_infrastructure, read_rule
from servicekit.tokens import TokenInvalid, TokenVerifier

BEARER = "bearer "
NO_BEARER = "The authorization header names no bearer token; put Bearer before it: 'authorization: Bearer <token>'."
Metadata = Iterable[tuple[str, str | bytes]]
PEOPLE = {Role.MEMBER, Role.ADMIN, Role.OWNER, Role.STAFF}
ALLOWED = {
    access_pb2.ACCESS_USER: PEOPLE,
    access_pb2.ACCESS_TENANT_ADMIN: {Role.ADMIN, Role.OWNER},
    access_pb2.ACCESS_STAFF: {Role.STAFF},
}


class MethodWithoutAccess(Exception):
    """Raised at start for a method whose proto does not say who may call it."""


class MethodWithoutCallers(Exception):
    """Raised at start for a method between services whose proto does not say which of them may call it."""


async def authenticate(call: Call, verifier: TokenVerifier) -> Principal | None:
    """Returns the verified caller; None for public methods, which need no token and read none.

    Raises TokenMissing, TokenInvalid, TokenExpired or AccessDenied.
    """
    rule = read_rule(call.method)
    if rule.access == access_pb2.ACCESS_PUBLIC:
        return None
    principal = await verifier.verify(read_bearer(call.metadata))
    if not is_allowed(principal, rule):
        raise AccessDenied
    return principal


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
    """Raises MethodWithoutAccess or MethodWithoutCallers if any method lacks the option."""
    rules = {name: read_rule(name) for name in methods if not is_infrastructure(name)}
    missing = [name for name, rule in rules.items() if rule.access == access_pb2.ACCESS_UNSPECIFIED]
    if missing:
        raise MethodWithoutAccess(f"no (docuchat.common.v1.access) option on {', '.join(missing)}")
    open_to_all = [
        name for name, rule in rules.items() if rule.access == access_pb2.ACCESS_SERVICE and not rule.callers
    ]
    if open_to_all:
        raise MethodWithoutCallers(f"no (docuchat.common.v1.callers) option on {', '.join(open_to_all)}")
