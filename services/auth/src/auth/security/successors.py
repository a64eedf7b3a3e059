"""What a refresh token is traded for: the same for each time it is presented."""

import hashlib
import hmac

from auth.security.derived import DeriveKey
from auth.security.keys import encode_base64url

PURPOSE = b"docuchat refresh token successor"


class HmacSuccessors:
    """A Successors with a derived key, so that all replicas agree."""

    def __init__(self, derive: DeriveKey) -> None:
        self._key = derive(PURPOSE)

    def derive(self, refresh_token: str) -> str:
        """Returns 256 bits that nobody can compute without the key, in base64url."""
        return encode_base64url(hmac.digest(self._key, refresh_token.encode(), hashlib.sha256))
