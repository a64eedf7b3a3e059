"""Making the next signing key where auth runs."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from auth.security.keyring import KeyRing, write_next_key


class FileKeyRotation:
    """A KeyRotation that writes the key beside the present one, from where every replica reads it."""

    def __init__(self, signing_key_file: Path, lead: timedelta, ring: KeyRing) -> None:
        self._signing_key_file = signing_key_file
        self._lead = lead
        self._ring = ring

    async def rotate(self, now: datetime) -> tuple[str, datetime]:
        """Returns the next key's id and when it begins to sign. Raises RotationUnderWay, KeyFileError."""
        made = await asyncio.to_thread(write_next_key, self._signing_key_file, now, self._lead)
        self._ring.read()
        return made.key_id, made.sign_time
