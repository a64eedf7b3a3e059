"""Verifying access tokens locally (RFC 9068 profile, EdDSA only, RFC 8037 keys)."""

import json
import time
from asyncio import Lock
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from servicekit.errors import AppError, Code
from servicekit.identity import Principal, Role
from servicekit.telemetry import get_logger

DEFAULT_ISSUER = "docuchat"
DEFAULT_AUDIENCE = "docuchat"
LEEWAY_SECONDS = 60
MAX_TOKEN_BYTES = 8192
REFETCH_SECONDS = 30
REFRESH_SECONDS = 300
HEADER_FIELDS = {"alg", "typ", "kid"}


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

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "TOKEN_INVALID", "The access token is not valid here; log in to get a new one."
        )


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
    """Keys fetched from the issuer and kept: while it is down the old ones serve on."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = self._tried = float("-inf")
        self._lock = Lock()

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of this id; asks the issuer for unknown ids, at most every 30 s."""
        if kid not in self._keys or self._clock() - self._fetched > REFRESH_SECONDS:
            async with self._lock:
                await self._refresh(kid)
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        now = self._clock()
        fresh = kid in self._keys and now - self._fetched <= REFRESH_SECONDS
        # Until a first fetch succeeded every caller may try: a flood is impossible while nobody can be verified.
        if fresh or (self._keys and now - self._tried < REFETCH_SECONDS):
            return
        self._tried = now
        try:
            self._keys = parse_jwks(await self._fetch())
        except AppError as error:
            if not self._keys:
                raise
            get_logger("tokens").warning("jwks refresh failed", reason=error.reason)
            return
        self._fetched = now


def parse_jwks(raw: bytes) -> dict[str, Ed25519PublicKey]:
    """Returns the Ed25519 keys of a JWK Set by key id; other keys are passed over."""
    keys: dict[str, Ed25519PublicKey] = {}
    for item in json.loads(raw)["keys"]:
        if item.get("kty") == "OKP" and item.get("crv") == "Ed25519" and "d" not in item:
            key = OKPAlgorithm.from_jwk(item)
            if isinstance(key, Ed25519PublicKey):
                keys[str(item["kid"])] = key
    return keys


class TokenVerifier:
    """Turns a token into a principal, without asking anyone."""

    def __init__(self, keys: KeySource, issuer: str = DEFAULT_ISSUER, audience: str = DEFAULT_AUDIENCE) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> Principal:
        """Returns the token's principal. Raises TokenExpired or TokenInvalid."""
        key = await self._keys.find(read_key_id(token))
        if key is None:
            raise TokenInvalid
        try:
            return read_principal(token, self._decode(token, key))
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.InvalidTokenError, KeyError, ValueError, OverflowError, OSError) as error:
            raise TokenInvalid from error

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
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenInvalid
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenInvalid from error
    # A header that brings its own key, or demands something unknown, is an attack, not a token.
    if set(header) != HEADER_FIELDS or header["alg"] != "EdDSA" or header["typ"] != "at+jwt":
        raise TokenInvalid
    return str(header["kid"])


def read_principal(token: str, claims: Mapping[str, Any]) -> Principal:
    """Returns the principal that verified claims describe. Raises KeyError or ValueError."""
    exp = claims["exp"]
    if type(exp) is not int or not 0 < exp < 2**40:
        raise ValueError("exp")
    role = Role(claims["role"])
    tenant_id = "" if role is Role.SERVICE else str(claims["tid"])
    return Principal(
        subject=str(claims["sub"]),
        tenant_id=tenant_id,
        role=role,
        session_id=str(claims.get("sid", "")),
        expires_at=datetime.fromtimestamp(exp, tz=UTC),
        token=token,
    )
