"""The one auth interceptor: who calls, and may they call this method?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docuchat.common.v1 import access_pb2
from servicekit.errors import AccessDenied
from servicekit.identity import Principal, Role, TokenMissing, acting_as
from servicekit.rpc.call import Call, Layer, is_infrastructure, read_access
from servicekit.tokens import TokenInvalid, TokenVerifier

BEARER = "bearer "
PEOPLE = {Role.MEMBER, Role.ADMIN, Role.OWNER, Role.STAFF}
ALLOWED = {
    access_pb2.ACCESS_USER: PEOPLE,
    access_pb2.ACCESS_TENANT_ADMIN: {Role.ADMIN, Role.OWNER},
    access_pb2.ACCESS_STAFF: {Role.STAFF},
    access_pb2.ACCESS_SERVICE: {Role.SERVICE},
}


class MethodWithoutAccess(Exception):
    """Raised at start for a method whose proto does not say who may call it."""


def access_layer(verifier: TokenVerifier) -> Layer:
    """Returns the layer that verifies the token and denies every method not open to its owner."""

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        with acting_as(await authenticate(call, verifier)):
            yield

    return layer


async def authenticate(call: Call, verifier: TokenVerifier) -> Principal | None:
    """Returns the verified caller; None for public methods, which need no token and read none."""
    if is_infrastructure(call.method):
        return None
    access = read_access(call.method)
    if access == access_pb2.ACCESS_PUBLIC:
        return None
    principal = await verifier.verify(read_bearer(call))
    if principal.role not in ALLOWED.get(access, set()):
        raise AccessDenied
    return principal


def read_bearer(call: Call) -> str:
    """Returns the access token. Two of them are refused: hops might disagree on which one counts."""
    sent = call.values("authorization")
    if not sent:
        raise TokenMissing
    if len(sent) > 1 or not sent[0].lower().startswith(BEARER):
        raise TokenInvalid
    return sent[0][len(BEARER) :].strip()


def require_access_options(methods: list[str]) -> None:
    """Raises MethodWithoutAccess if any method lacks the access option."""
    missing = [name for name in methods if not is_infrastructure(name) and read_access(name) == 0]
    if missing:
        raise MethodWithoutAccess(f"no (docuchat.common.v1.access) option on {', '.join(missing)}")
