"""Whoever may not call a method is refused on every transport, before anything is read, and told why."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from docuchat.common.v1 import access_pb2
from tests.accounts import sign_up
from tests.http_client import HttpClient
from tests.transports import Outcome

from .test_isolation_ids import MISSING, NOBODYS, ROWS, UPLOAD, public_methods

REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNKNOWN", "INTERNAL", "UNAVAILABLE", "UNIMPLEMENTED"}
SCOPES = frozenset(access_pb2.Scope.keys()) - {"SCOPE_UNSPECIFIED"}


@dataclass(frozen=True)
class Stand:
    """A caller who may not, and what the refusal says."""

    credential: Callable[["Credentials", frozenset[str]], str]
    """Makes the credential, knowing the scopes that would open the method."""
    code: str
    reason: str


class Credentials:
    """Credentials of one tenant's owner, each made once."""

    def __init__(self, account, suspended=("", "")) -> None:
        self._account = account
        self._suspended = suspended
        self._secrets: dict[str, str] = {}

    def key(self, scopes: frozenset[str], *, revoked: bool = False) -> str:
        """Returns the secret of an API key."""
        name = f"{sorted(scopes)} {revoked}"
        if name not in self._secrets:
            made = self._account.http.post("/v1/api-keys", name=name, scopes=sorted(scopes)).json
            if revoked:
                self._account.http.delete(f"/v1/api-keys/{made['api_key']['api_key_id']}")
            self._secrets[name] = made["secret"]
        return self._secrets[name]

    def suspended_key(self) -> str:
        """Returns the secret of a key that would open everything, if its tenant were open."""
        return self._suspended[0]

    def suspended_session(self) -> str:
        """Returns the access token of a session that was ended with its tenant."""
        return self._suspended[1]


STANDS = {
    "a key of the wrong scope": Stand(
        lambda credentials, scopes: credentials.key(SCOPES - scopes), "PERMISSION_DENIED", "SCOPE_MISSING"
    ),
    "a revoked key": Stand(
        lambda credentials, scopes: credentials.key(SCOPES, revoked=True), "UNAUTHENTICATED", "API_KEY_REVOKED"
    ),
    "a suspended tenant's key": Stand(
        lambda credentials, scopes: credentials.suspended_key(), "PERMISSION_DENIED", "TENANT_SUSPENDED"
    ),
    "a suspended tenant's session": Stand(
        lambda credentials, scopes: credentials.suspended_session(), "UNAUTHENTICATED", "TOKEN_INVALID"
    ),
    "a made up key": Stand(
        lambda credentials, scopes: f"dck_{'0' * 12}_{'x' * 43}", "UNAUTHENTICATED", "API_KEY_INVALID"
    ),
}


NO_KEY = Stand(lambda credentials, scopes: credentials.key(SCOPES), "PERMISSION_DENIED", "SESSION_REQUIRED")


def cases():
    """Yields each method with each stand; what every scope opens has no key of the wrong one."""
    for method in public_methods():
        scopes = frozenset(map(access_pb2.Scope.Name, method.GetOptions().Extensions[access_pb2.scope]))
        for name, usual in STANDS.items():
            stand = NO_KEY if usual.reason == "SCOPE_MISSING" and not scopes else usual
            if stand.reason != "SCOPE_MISSING" or scopes != SCOPES:
                yield pytest.param(method, scopes, stand, id=f"{method.full_name}-{name}")


@pytest.fixture(scope="module")
def suspended(stack):
    """The key and the session of a tenant's owner, after staff has suspended the tenant."""
    account = sign_up(stack)
    secret = account.http.post("/v1/api-keys", name="all", scopes=sorted(SCOPES)).json["secret"]
    stack.query("UPDATE auth.tenants SET suspend_time = now() WHERE tenant_id = $1", account.tenant_id)
    stack.query("UPDATE auth.sessions SET revoke_time = now() WHERE tenant_id = $1", account.tenant_id)
    end = time.monotonic() + 10
    while account.http.get("/v1/me").status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    return secret, account.token


@pytest.fixture(scope="module")
def credentials(owner, suspended):
    return Credentials(owner, suspended)


def call(transport, method, credential) -> Outcome:
    if method.full_name == UPLOAD:
        return transport.upload(b"# A\n\nText.", "a.md", credential)
    ids = {item.name: [MISSING] if item.is_repeated else MISSING for item in method.input_type.fields if is_id(item)}
    return transport.call(method.full_name, ROWS[method.full_name].fields | ids, credential)


def is_id(item) -> bool:
    return item.name.endswith(("_id", "_ids")) and item.name not in NOBODYS


@pytest.mark.parametrize(("method", "scopes", "stand"), list(cases()))
def test_whoever_may_not_call_a_method_is_refused(transport, credentials, method, scopes, stand):
    outcome = call(transport, method, stand.credential(credentials, scopes))
    assert (outcome.code, outcome.reason) == (stand.code, stand.reason)


def methods_for_keys():
    """Yields the methods that some key may call."""
    for method in public_methods():
        if method.GetOptions().Extensions[access_pb2.scope]:
            yield pytest.param(method, id=method.full_name)


@pytest.mark.parametrize("method", list(methods_for_keys()))
def test_a_key_of_the_right_scope_is_let_in(transport, credentials, method):
    opened_by = min(map(access_pb2.Scope.Name, method.GetOptions().Extensions[access_pb2.scope]))
    outcome = call(transport, method, credentials.key(frozenset({opened_by})))
    # What it comes to then is the method's own; administrators' methods ask for the role besides.
    assert outcome.code not in REFUSED or outcome.reason == "ACCESS_DENIED"


def test_a_key_opens_what_its_maker_has_and_nothing_of_others(owner, stranger, lighthouse, credentials, stack):
    path = f"/v1/documents/{lighthouse['document_id']}"
    mine, theirs = credentials.key(SCOPES), Credentials(stranger).key(SCOPES)
    assert HttpClient(stack.port, mine).get(path).status == 200
    assert HttpClient(stack.port, theirs).get(path).status == 404


def test_end_users_of_a_product_have_nothing_in_common_but_the_tenant(owner, stack):
    made = owner.http.post("/v1/api-keys", name="product", scopes=["READ", "WRITE"], is_on_behalf_of_allowed=True).json
    client = HttpClient(stack.port, made["secret"])

    def collections(name):
        reply = client.send("GET", "/v1/collections", None, {"x-on-behalf-of": name} if name else None)
        return {row["collection_id"] for row in reply.json["collections"]}

    body = b'{"display_name": "of ann"}'
    headers = {"x-on-behalf-of": "ann", "content-type": "application/json"}
    created = client.send("POST", "/v1/collections", body, headers).json["collection"]["collection_id"]
    assert created in collections("ann")
    assert created not in collections("bob") | collections("")


def test_the_tenant_header_selects_nothing_that_is_not_the_callers(owner, stranger, stack):
    for credential in (stranger.token, Credentials(stranger).key(SCOPES)):
        client = HttpClient(stack.port, credential)
        for tenant_id, expected in [
            (owner.tenant_id, (404, "TENANT_NOT_FOUND")),
            (MISSING, (404, "TENANT_NOT_FOUND")),
            ("acme", (400, "INVALID_TENANT_HEADER")),
            (f"{stranger.tenant_id}, {stranger.tenant_id}", (400, "INVALID_TENANT_HEADER")),
        ]:
            reply = client.send("GET", "/v1/me", headers={"x-tenant-id": tenant_id})
            assert (reply.status, reply.reason) == expected
        assert client.send("GET", "/v1/me", headers={"x-tenant-id": stranger.tenant_id}).status == 200
