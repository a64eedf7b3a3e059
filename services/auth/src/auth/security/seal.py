"""Mails as they wait in the database: sealed, because they hold codes (AES-256-GCM, NIST SP 800-38D)."""

import json
import os
from dataclasses import asdict
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth.model.mail import Mail
from auth.security.derived import DeriveKey

NONCE_BYTES = 12


class MailSeal:
    """Seals mails for the outbox; each belongs to its id, so that none can be put in the place of another."""

    def __init__(self, derive: DeriveKey) -> None:
        self._cipher = AESGCM(derive(b"docuchat outbox"))

    def close(self, mail_id: str, mail: Mail) -> bytes:
        """Returns a mail that nobody can read or change without the key."""
        nonce = os.urandom(NONCE_BYTES)
        expire_time = mail.expire_time.isoformat() if mail.expire_time else None
        plain = json.dumps({**asdict(mail), "expire_time": expire_time}).encode()
        return nonce + self._cipher.encrypt(nonce, plain, mail_id.encode())

    def open(self, mail_id: str, content: bytes) -> Mail | None:
        """Returns the mail; None for what was sealed with another key, or not at all."""
        try:
            plain = self._cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], mail_id.encode())
        except (InvalidTag, ValueError):
            return None
        fields = json.loads(plain)
        moment = fields.pop("expire_time")
        return Mail(**fields, expire_time=datetime.fromisoformat(moment) if moment else None)
