"""Verifying access tokens locally (RFC 9068 profile, EdDSA only, RFC 8037 keys)."""

import asyncio
import base64
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from servicekit.claims import read_principal
from servicekit.errors import AppError, Code
from servicekit.identity import Principal
from servicekit.telemetry import get_logger

DEFAULT_ISSUER = "docuchat"
DEFAULT_AUDIENCE = "docuchat"
LEEWAY_SECONDS = 60
MAX_TOKEN_BYTES = 8192
REFETCH_SECONDS = 30
REFRESH_SECONDS = 300
HEADER_FIELDS = {"alg", "typ", "kid"}
# About 2 KB each: what a process serves in a quarter of an hour, and an end to what it can be filled with.
MAX_REMEMBERED = 4096


class TokenExpired(AppError):
    """Raised when a token was good once."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            "TOKEN_EXPIRED",
            "The access token has expired; get a new one with your refresh token.",
        )


class TokenInvalid(AppError):
    """Raised when a token is malformed, forged or meant for someone else."""

    def __init__(self, message: str = "The access token is not valid here; log in to get a new one.") -> None:
        super().__init__(Code.UNAUTHENTICATED, "TOKEN_INVALID", message)


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of this id, or None."""
        ...


class StaticKeys:
    """Keys that are known from the start: the issuer's own, or a test's."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = dict(keys)

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of this id, or None."""
        return self._keys.get(kid)


class RemoteJwks:
    """Keys fetched from the issuer and kept: while it is down or slow the old ones serve on.

    One fetch runs at a time, whoever caused it, in a task of its own: a caller
    that is cancelled or short of time neither ends it nor lends it its deadline.
    """

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._context = copy_context()

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of this id; waits for the issuer only where it has none, and asks at most every 30 s."""
        is_known, now = kid in self._keys, self._clock()
        is_due = not is_known or now - self._fetched > REFRESH_SECONDS
        # Until a first fetch succeeded nobody can be verified, so every caller is worth a try.
        if is_due and (not self._keys or now - self._tried >= REFETCH_SECONDS):
            self._start()
        if not is_known and self._fetching:
            await asyncio.shield(self._fetching)
        return self._keys.get(kid)

    def _start(self) -> None:
        if self._fetching is None:
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._refresh(), context=self._context)
            self._fetching.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        # Those who wait get the error; where nobody does any more, asyncio must not complain of it.
        if not task.cancelled():
            task.exception()

    async def _refresh(self) -> None:
        try:
            self._keys = parse_jwks(await self._fetch())
        except AppError as error:
            if not self._keys:
                raise
            get_logger("tokens").warning("jwks refresh failed", reason=error.reason)
        else:
            self._fetched = self._clock()


def parse_jwks(raw: bytes) -> dict[str, Ed25519PublicKey]:
    """Returns the Ed25519 keys of a JWK Set by key id; other keys are passed over."""
    keys: dict[str, Ed25519PublicKey] = {}
    for item in json.loads(raw)["keys"]:
        if item.get("kty") == "OKP" and item.get("crv") == "Ed25519" and "d" not in item:
            key = OKPAlgorithm.from_jwk(item)
            if isinstance(key, Ed25519PublicKey):
                keys[str(item["kid"])] = key
    return keys


class Revocations(Protocol):
    """The sessions that have ended."""

    async def includes(self, session_id: str) -> bool:
        """Tells whether a session has ended. Raises DependencyUnavailable where that is not known yet."""
        ...


class Verified(NamedTuple):
    """What a token was found to say, and the key that signed it."""

    principal: Principal
    kid: str
    key: Ed25519PublicKey
    ends: float  # seconds since 1970, leeway included


class TokenVerifier:
    """Turns a token into a principal, without asking anyone. Tokens of sessions in `revoked` are refused.

    What was verified once is remembered until it ends. Its key must still be
    the issuer's and its session must not have ended: both are asked each time.
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str = DEFAULT_ISSUER,
        audience: str = DEFAULT_AUDIENCE,
        *,
        revoked: Revocations | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._revoked = revoked
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Returns the token's principal. Raises TokenExpired, TokenInvalid or DependencyUnavailable."""
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenInvalid
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        principal = await self._recall(digest) or await self._examine(token, digest)
        # Services have no session: nothing that ends one can take their tokens back.
        if self._revoked and principal.session_id and await self._revoked.includes(principal.session_id):
            raise TokenInvalid
        return principal

    async def _recall(self, digest: bytes) -> Principal | None:
        """Returns the principal of a token that was verified before and would be again."""
        found = self._remembered.pop(digest, None)
        if found is None or found.ends <= self._clock() or await self._keys.find(found.kid) is not found.key:
            return None
        self._remember(digest, found)
        return found.principal

    async def _examine(self, token: str, digest: bytes) -> Principal:
        kid = read_key_id(token)
        key = await self._keys.find(kid)
        if key is None:
            raise TokenInvalid
        try:
            principal = read_principal(token, self._decode(token, key))
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.InvalidTokenError, KeyError, ValueError, OverflowError, OSError) as error:
            raise TokenInvalid from error
        self._remember(digest, Verified(principal, kid, key, principal.expires_at.timestamp() + LEEWAY_SECONDS))
        return principal

    def _remember(self, digest: bytes, found: Verified) -> None:
        # In the order of use, so that the one at the front is the one to forget.
        self._remembered[digest] = found
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _decode(self, token: str, key: Ed25519PublicKey) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]},
        )


def read_key_id(token: str) -> str:
    """Returns the key id of a well-formed header that names nothing but EdDSA."""
    if not all(is_canonical(part) for part in token.split(".")):
        raise TokenInvalid
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenInvalid from error
    # A header that brings its own key, or demands something unknown, is an attack, not a token.
    if set(header) != HEADER_FIELDS or header["alg"] != "EdDSA" or header["typ"] != "at+jwt":
        raise TokenInvalid
    return str(header["kid"])


def is_canonical(part: str) -> bool:
    """Tells whether base64url (RFC 7515) has its one form: no padding, no foreign characters, no spare bits."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == part
