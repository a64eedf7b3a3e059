"""What a refresh token is traded for: the same for each time it is presented."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"docuchat refresh token successor"
KEY_BYTES = 32


class HmacSuccessors:
    """A Successors with a key of its own, derived from the signing key (RFC 5869), so that all replicas agree."""

    def __init__(self, signing_key: Ed25519PrivateKey) -> None:
        derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE)
        self._key = derivation.derive(signing_key.private_bytes_raw())

    def derive(self, refresh_token: str) -> str:
        """Returns 256 bits that nobody can compute without the key, in base64url."""
        digest = hmac.digest(self._key, refresh_token.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
