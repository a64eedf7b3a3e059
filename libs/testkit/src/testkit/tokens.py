"""Access tokens for tests, signed with a key of the test's own."""

import time
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servicekit.identity import Role, Scope
from servicekit.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER, StaticKeys, TokenVerifier

KEY_ID = "test-key"
LIFETIME_SECONDS = 900


class TestTokens:
    """Issues tokens and makes the verifier that accepts them."""

    __test__ = False

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.verifier = TokenVerifier(StaticKeys({KEY_ID: self._key.public_key()}))

    def issue(self, user_id: str | None = None, tenant_id: str | None = None, role: Role = Role.MEMBER) -> str:
        """Returns the token of a person; new ids where none are given."""
        return self.sign({"sub": user_id or str(uuid4()), "tid": tenant_id or str(uuid4()), "role": role.value})

    def issue_key(self, *scopes: Scope, role: Role = Role.MEMBER, **claims: Any) -> str:  # noqa: ANN401 - of any kind
        """Returns the token of an API key with these scopes."""
        key_id = str(uuid4())
        person = {"sub": str(uuid4()), "tid": str(uuid4()), "role": role.value}
        return self.sign({**person, "sid": key_id, "key": key_id, "scp": list(scopes), **claims})

    def issue_service(self, name: str) -> str:
        """Returns the token of a service."""
        return self.sign({"sub": name, "role": Role.SERVICE.value})

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        """Returns a token with these claims beside, or in place of, the usual ones."""
        now = int(time.time())
        usual = {"iss": DEFAULT_ISSUER, "aud": DEFAULT_AUDIENCE, "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS}
        unique = {"jti": str(uuid4()), "sid": str(uuid4())}
        header = {"typ": "at+jwt", "kid": KEY_ID, **(headers or {})}
        return jwt.encode({**usual, **unique, **claims}, self._key, algorithm="EdDSA", headers=header)
