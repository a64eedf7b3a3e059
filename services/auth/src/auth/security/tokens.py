"""Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037)."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from auth.security.keys import name_key, write_jwks
from auth.security.successors import HmacSuccessors
from servicekit.identity import Role, Scope


class Ed25519TokenSigner:
    """A TokenSigner with one key; `published` are further keys that verifiers should know."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        *,
        issuer: str,
        audience: str,
        published: Iterable[Ed25519PublicKey] = (),
    ) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._key_id = name_key(key.public_key())
        self.successors = HmacSuccessors(key)
        self.public_keys = {name_key(public): public for public in (key.public_key(), *published)}

    # Some 50 microseconds: signing stays on the event loop.
    def sign(  # noqa: PLR0913 - the claims of a token
        self,
        *,
        subject: str,
        role: Role,
        now: datetime,
        expire_time: datetime,
        tenant_id: str = "",
        session_id: str = "",
        scopes: Collection[Scope] | None = None,
        api_key_id: str = "",
        requests_per_minute: int = 0,
    ) -> str:
        """Returns a signed token; services have neither tenant nor session, people neither scopes nor an API key."""
        named = {"sub": subject, "role": role.value, "tid": tenant_id, "sid": session_id, "key": api_key_id}
        claims = {**named, "lim": requests_per_minute}
        moment = int(now.timestamp())
        usual = {"iss": self._issuer, "aud": self._audience, "iat": moment, "nbf": moment}
        ends = {"exp": int(expire_time.timestamp()), "jti": str(uuid.uuid4())}
        # Services have no tenant; an empty claim would be one more thing to check for.
        return jwt.encode(
            {**usual, **ends, **{name: value for name, value in claims.items() if value}, **list_scopes(scopes)},
            self._key,
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": self._key_id},
        )

    def publish(self) -> bytes:
        """Returns the public keys as a JWK Set."""
        return write_jwks(self.public_keys.values())


def list_scopes(scopes: Collection[Scope] | None) -> dict[str, list[str]]:
    """Returns the claim of an API key's scopes; a key without any has the claim too, or it would pass for a person."""
    return {} if scopes is None else {"scp": sorted(scopes)}
