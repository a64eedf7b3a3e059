"""Mail as files, for a machine without SMTP: whoever runs it reads them there."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from auth.mail.messages import compose
from auth.model.mail import Mail
from auth.ports.mail import MailNotSent

MAX_FILES = 1000


class FolderMailer:
    """A Mailer that writes `<moment>-<id>.eml`, readable by their owner alone, and keeps the last 1,000."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail_id: str, mail: Mail) -> None:
        """Writes a mail. Raises MailNotSent."""
        try:
            content = compose(mail_id, mail, self._sender).as_bytes()
            await asyncio.to_thread(self._write, mail_id, content)
        except (KeyError, ValueError) as error:
            raise MailNotSent(f"cannot be written: {type(error).__name__}", is_final=True) from error
        except OSError as error:
            raise MailNotSent(f"{self._folder} cannot be written ({error.strerror})") from error

    def _write(self, mail_id: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{mail_id}"
        draft = self._folder / f".{name}.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(self._folder / f"{name}.eml")
        for old in sorted(self._folder.glob("*.eml"))[:-MAX_FILES]:
            old.unlink(missing_ok=True)
