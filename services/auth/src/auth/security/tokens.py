"""Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037)."""

import uuid
from collections.abc import Collection
from datetime import datetime

import jwt

from auth.security.keyring import KeyRing
from auth.security.keys import write_jwks
from servicekit.identity import Role, Scope


class Ed25519TokenSigner:
    """A TokenSigner with the key of a ring that signs at that moment."""

    def __init__(self, ring: KeyRing, *, issuer: str, audience: str) -> None:
        self.ring = ring
        self._issuer = issuer
        self._audience = audience

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
        signing, moment = self.ring.find_signing(), int(now.timestamp())
        usual = {"iss": self._issuer, "aud": self._audience, "iat": moment, "nbf": moment}
        ends = {"exp": int(expire_time.timestamp()), "jti": str(uuid.uuid4())}
        # Services have no tenant; an empty claim would be one more thing to check for.
        return jwt.encode(
            {**usual, **ends, **{name: value for name, value in claims.items() if value}, **list_scopes(scopes)},
            signing.key,
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": signing.key_id},
        )

    def publish(self) -> bytes:
        """Returns the public keys as a JWK Set."""
        return write_jwks(self.ring.list_public().values())


def list_scopes(scopes: Collection[Scope] | None) -> dict[str, list[str]]:
    """Returns the claim of an API key's scopes; a key without any has the claim too, or it would pass for a person."""
    return {} if scopes is None else {"scp": sorted(scopes)}
