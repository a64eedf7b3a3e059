"""Ed25519 keys: read from PEM files, named by thumbprint, published as a JWK Set."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from servicekit.config import WrongSetting


class KeyFileError(WrongSetting):
    """Raised at start for a key file that is missing, unreadable or not Ed25519."""


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Reads an unencrypted Ed25519 private key (PEM, PKCS #8). Raises KeyFileError."""
    pem = read_key_file(path)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path} holds no unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds another kind of key; make one with: openssl genpkey -algorithm ed25519")
    return key


def load_published_key(path: Path) -> Ed25519PublicKey:
    """Reads the public half of a key file that holds either half. Raises KeyFileError."""
    pem = read_key_file(path)
    # During an exchange it is handy to name the very file that will sign or has signed.
    if b"PRIVATE KEY" in pem:
        return load_signing_key(path).public_key()
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise KeyFileError(f"{path} holds no key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} holds another kind of key than Ed25519")
    return key


def read_key_file(path: Path) -> bytes:
    """Returns the file's bytes. Raises KeyFileError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read ({error.strerror})") from error


def write_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """Returns the members of a JWK that make the key (RFC 8037, section 2), in the order RFC 7638 hashes them."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": encode_base64url(raw)}


def name_key(key: Ed25519PublicKey) -> str:
    """Returns the key id: the JWK's SHA-256 thumbprint (RFC 7638)."""
    canonical = json.dumps(write_jwk(key), separators=(",", ":"), sort_keys=True)
    return encode_base64url(hashlib.sha256(canonical.encode()).digest())


def write_jwks(keys: Iterable[Ed25519PublicKey]) -> bytes:
    """Returns a JWK Set (RFC 7517, section 5)."""
    members = [{**write_jwk(key), "kid": name_key(key), "use": "sig", "alg": "EdDSA"} for key in keys]
    return json.dumps({"keys": members}).encode()


def encode_base64url(raw: bytes) -> str:
    """Returns base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
