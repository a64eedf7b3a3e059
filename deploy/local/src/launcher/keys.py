"""Keys and passwords: made at the first start, kept for all later ones."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from launcher.home import Home

DATABASE_SERVICES = ("auth", "ingestion", "retrieval", "chat")
SERVICES_WITH_SECRET = ("ingestion", "retrieval", "chat")


@dataclass(frozen=True)
class Keys:
    """Every secret of one home."""

    signing_key_file: Path
    """auth's Ed25519 private key, PEM."""
    auth_secret_file: Path
    """What auth derives its other keys from, so that the signing key can be exchanged."""
    postgres_password: str
    """Of the superuser."""
    owner_passwords: dict[str, str]
    """By service: of the role that owns its schema and migrates it."""
    application_passwords: dict[str, str]
    """By service: of the role it works as."""
    service_secrets: dict[str, str]
    """By service: what it shows auth to get a token of its own."""


def load_keys(home: Home) -> Keys:
    """Returns the home's keys; makes those that do not exist yet."""
    signing_key_file = home.secrets / "signing_key.pem"
    if not signing_key_file.exists():
        _write_private(signing_key_file, _new_signing_key())
    auth_secret_file = home.secrets / "auth_secret"
    if not auth_secret_file.exists():
        _write_private(auth_secret_file, secrets.token_hex(32).encode())
    path = home.secrets / "passwords.json"
    known = json.loads(path.read_bytes()) if path.exists() else {}
    passwords = _complete(known, _new_passwords())
    if passwords != known:
        _write_private(path, json.dumps(passwords, indent=2).encode())
    return Keys(signing_key_file=signing_key_file, auth_secret_file=auth_secret_file, **passwords)


def _complete(known: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    """Keeps what a home has, and adds what this release needs beyond it."""
    return {
        name: {**value, **known.get(name, {})} if isinstance(value, dict) else known.get(name, value)
        for name, value in fresh.items()
    }


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class _Passwords:
    postgres_password: str
    owner_passwords: dict[str, str]
    application_passwords: dict[str, str]
    service_secrets: dict[str, str]


def _new_passwords() -> dict[str, Any]:
    return asdict(
        _Passwords(
            postgres_password=secrets.token_urlsafe(32),
            owner_passwords={service: secrets.token_urlsafe(32) for service in DATABASE_SERVICES},
            application_passwords={service: secrets.token_urlsafe(32) for service in DATABASE_SERVICES},
            service_secrets={service: secrets.token_urlsafe(32) for service in SERVICES_WITH_SECRET},
        )
    )


def _write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read; it appears whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
