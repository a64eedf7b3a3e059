"""Mail over SMTP."""

import asyncio
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib

from auth.mail.messages import compose
from auth.model.mail import Mail
from auth.ports.mail import MailNotSent

TIMEOUT_SECONDS = 30
# For connecting, greeting, logging in and the message together; less than a lease.
TOTAL_SECONDS = 60
PERMANENT = range(500, 600)


class SmtpMailer:
    """A Mailer for `smtp://user:password@host:port` (STARTTLS) or `smtps://` (TLS from the start)."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._host = parts.hostname or ""
        self._port = parts.port
        self._uses_tls = parts.scheme == "smtps"
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def send(self, mail_id: str, mail: Mail) -> None:
        """Hands a mail over. Raises MailNotSent, whose text names no recipient."""
        try:
            message = compose(mail_id, mail, self._sender)
        except (KeyError, ValueError) as error:
            raise MailNotSent(f"cannot be written: {type(error).__name__}", is_final=True) from error
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                await aiosmtplib.send(
                    message,
                    hostname=self._host,
                    port=self._port,
                    username=self._username,
                    password=self._password,
                    use_tls=self._uses_tls,
                    start_tls=self._wants_starttls(),
                    timeout=TIMEOUT_SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {each.code for each in error.recipients}
            raise MailNotSent(f"recipient refused: {sorted(codes)}", is_final=codes <= set(PERMANENT)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise MailNotSent(f"refused: {error.code}", is_final=is_final(error)) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailNotSent(f"not reached: {type(error).__name__}") from error

    def _wants_starttls(self) -> bool | None:
        """Returns whether STARTTLS must succeed; None uses it where it is offered."""
        if self._uses_tls:
            return False
        # Somebody in between could hide the offer; a password must not leave this machine in the clear.
        return True if self._username and not is_loopback(self._host) else None


def is_final(error: aiosmtplib.SMTPResponseException) -> bool:
    """Tells whether a refusal concerns the mail: a wrong password of ours is mended, and its mails are then sent."""
    return error.code in PERMANENT and isinstance(error, aiosmtplib.SMTPDataError | aiosmtplib.SMTPSenderRefused)


def is_loopback(host: str) -> bool:
    """Tells whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
