"""The secrets of other services, from the configuration."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping


class ConfiguredServiceSecrets:
    """A ServiceSecrets that keeps digests only, so that all comparisons are equally long."""

    def __init__(self, by_service: Mapping[str, str]) -> None:
        self._digests = {name: digest(secret) for name, secret in by_service.items()}
        # Random, so that a service which is not configured has a secret nobody knows.
        self._nobodys = digest(secrets.token_urlsafe())

    def matches(self, service_name: str, secret: str) -> bool:
        """Tells whether they belong together, in the same time either way."""
        return hmac.compare_digest(self._digests.get(service_name, self._nobodys), digest(secret))


def digest(secret: str) -> bytes:
    """Returns SHA-256 of a secret."""
    return hashlib.sha256(secret.encode()).digest()
