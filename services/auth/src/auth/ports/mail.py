"""What the flows need to send mail. Stores queue mails in the transaction that causes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from auth.model.mail import ClaimedMail, Mail


class MailNotSent(Exception):
    """Raised by a mailer. `is_final` says that trying again would not help."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


class Mailer(Protocol):
    """Whoever takes mails away."""

    async def send(self, mail_id: str, mail: Mail) -> None:
        """Hands a mail over; `mail_id` becomes its Message-ID, the same for each try. Raises MailNotSent."""
        ...


class MailQueue(Protocol):
    """The mails that wait."""

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> Sequence[ClaimedMail]:
        """Returns mails that are due and that nobody else holds, longest waiting first; each counts as an attempt."""
        ...

    async def finish(self, claimed: ClaimedMail) -> None:
        """Forgets a mail, unless its lease has gone to another process."""
        ...

    async def postpone(self, claimed: ClaimedMail, due_time: datetime, why: str) -> None:
        """Lets a mail wait until a moment."""
        ...

    async def bury(self, claimed: ClaimedMail, now: datetime, why: str) -> None:
        """Keeps a mail as a dead letter, which is never tried again."""
        ...

    async def forget(self, dead_before: datetime) -> None:
        """Forgets dead letters from before a moment."""
        ...
