"""The secrets of API keys: how they look, and what is kept of them."""

import hashlib
import re
import secrets
import uuid

SECRET_BYTES = 32
PATTERN = re.compile(r"dck_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
END_USER = re.compile(r"[A-Za-z0-9._:@+=|-]{1,128}")


def make_prefix(api_key_id: str) -> str:
    """Returns how the secrets of a key begin: people, logs and secret scanners recognise a key by it."""
    return f"dck_{uuid.UUID(api_key_id).hex[:12]}"


def make_secret(prefix: str) -> str:
    """Returns a secret: the prefix and 256 random bits."""
    return f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"


def is_secret(credential: str) -> bool:
    """Tells whether something means to be an API key; whether it is one, its form and the store say."""
    return credential.startswith("dck_")


def hash_secret(secret: str) -> str | None:
    """Returns SHA-256 in hex, None for what has not the form of a secret; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest() if PATTERN.fullmatch(secret) else None


def name_end_user(tenant_id: str, name: str) -> str:
    """Returns the id that stands for an end user of a product: the same each time, another in each tenant."""
    return str(uuid.uuid5(uuid.UUID(tenant_id), name))
