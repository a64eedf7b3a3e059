"""Keyed digests: codes by mail, tags of passwords, tokens of devices."""

import hashlib
import hmac
import uuid

from auth.model.accounts import Client
from auth.model.codes import CodeUse
from auth.security.derived import DeriveKey

SEPARATOR = "\0"
LONGEST_DEVICE_TOKEN = 512


class HmacCodeKeys:
    """A CodeKeys. A million codes are tried in a second, so without the key their hashes must say nothing."""

    def __init__(self, derive: DeriveKey) -> None:
        self._key = derive(b"docuchat codes by mail")

    def name(self, use: CodeUse, subject: str) -> str:
        """Returns where the code for a use and a subject is found."""
        return digest(self._key, "name", use.value, subject)

    def hash(self, use: CodeUse, subject: str, code: str) -> str:
        """Returns the code's keyed hash, another one for each use and subject."""
        return digest(self._key, "code", use.value, subject, code)


class HmacPasswordTags:
    """A PasswordTags. Who has the table alone learns nothing from a tag, who has the key too, 8 bits."""

    def __init__(self, derive: DeriveKey) -> None:
        self._key = derive(b"docuchat password tags")

    def tag(self, email: str, password: str) -> int:
        """Returns 8 bits, 0 to 255, that nobody can compute without the key."""
        # The address in it, so that equal passwords of two people do not show.
        return int(digest(self._key, email, password)[:2], 16)


class HmacDevices:
    """A Devices that stores nothing: a token is an id and its keyed digest for one address."""

    def __init__(self, derive: DeriveKey) -> None:
        self._key = derive(b"docuchat devices")

    def issue(self, email: str) -> str:
        """Returns a token for a device that has just logged in to the account of a verified address."""
        device = uuid.uuid4().hex
        return f"{device}.{digest(self._key, email, device)}"

    def identify(self, email: str, client: Client) -> str:
        """Returns the device's id if its token was issued for the address, empty otherwise."""
        device, _, shown = client.device_token[:LONGEST_DEVICE_TOKEN].partition(".")
        is_ours = hmac.compare_digest(shown.encode("utf-8", "replace"), digest(self._key, email, device).encode())
        return device if is_ours else ""


def digest(key: bytes, *parts: str) -> str:
    """Returns HMAC-SHA256 in hex over parts that cannot run into each other."""
    # Only the last may hold a separator: what stands before it is fixed, an address or an id.
    message = SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()
