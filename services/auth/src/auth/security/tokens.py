"""Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037)."""

import uuid
from datetime import datetime

import jwt

from auth.security.keyring import KeyRing
from auth.security.keys import write_jwks
from servicekit.identity import Role


class Ed25519TokenSigner:
    """A TokenSigner with the key of a ring that signs at that moment."""

    def __init__(self, ring: KeyRing, *, issuer: str, audience: str) -> None:
        self.ring = ring
        self._issuer = issuer
        self._audience = audience

    # Some 50 microseconds: signing stays on the event loop.
    def sign(
        self,
        *,
        subject: str,
        role: Role,
        now: datetime,
        expire_time: datetime,
        tenant_id: str = "",
        session_id: str = "",
    ) -> str:
        """Returns a signed token; services have neither tenant nor session."""
        claims = {"sub": subject, "role": role.value, "tid": tenant_id, "sid": session_id}
        signing, moment = self.ring.find_signing(), int(now.timestamp())
        usual = {"iss": self._issuer, "aud": self._audience, "iat": moment, "nbf": moment}
        ends = {"exp": int(expire_time.timestamp()), "jti": str(uuid.uuid4())}
        # Services have no tenant; an empty claim would be one more thing to check for.
        return jwt.encode(
            {**usual, **ends, **{name: value for name, value in claims.items() if value}},
            signing.key,
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": signing.key_id},
        )

    def publish(self) -> bytes:
        """Returns the public keys as a JWK Set."""
        return write_jwks(self.ring.list_public().values())
