"""Keys for everything but signatures, derived from one secret that outlives the signing keys (RFC 5869)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth.security.keys import load_signing_key, read_key_file
from servicekit.config import WrongSetting

KEY_BYTES = 32
LEAST_SECRET_BYTES = 32
DeriveKey = Callable[[bytes], bytes]
"""Returns the key of a purpose, 32 bytes."""


def load_derivation(secret_file: Path | None, signing_key_file: Path) -> DeriveKey:
    """Returns what derives keys: from the secret file, or from the first signing key where there is none.

    Raises KeyFileError or WrongSetting.
    """
    if secret_file is None:
        return partial(derive_key, load_signing_key(signing_key_file).private_bytes_raw())
    secret = read_key_file(secret_file).strip()
    if len(secret) < LEAST_SECRET_BYTES:
        raise WrongSetting(
            f"{secret_file} holds fewer than {LEAST_SECRET_BYTES} bytes; make it with: openssl rand -hex 32"
        )
    return partial(derive_key, secret)


def derive_key(secret: bytes, purpose: bytes) -> bytes:
    """Returns a key that says nothing about the secret, nor about the keys of other purposes."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)
