"""Sending the mails that wait, until they have arrived or are not worth it any more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.model.mail import NOWHERE, ClaimedMail, Mail
from auth.ports.mail import Mailer, MailNotSent, MailQueue
from servicekit.repeating import repeat
from servicekit.telemetry import count_event, get_logger

INTERVAL_SECONDS = 1.0
BATCH = 10
# Longer than a mailer may take, so that nobody sends what somebody is sending.
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 20
LONGEST_PAUSE = timedelta(minutes=15)
DEAD_LETTERS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class MailSender:
    """Takes mails from the queue, on as many replicas as there are, each mail by one of them."""

    queue: MailQueue
    mailer: Mailer
    clock: Callable[[], datetime]

    async def follow(self) -> None:
        """Sends for as long as the process lives."""
        await repeat("mail", self.send_due, every_seconds=INTERVAL_SECONDS)

    async def send_due(self) -> None:
        """Sends what is due now."""
        while await self._send_batch() == BATCH:
            pass

    async def forget_dead(self) -> None:
        """Forgets dead letters that nobody has looked at for a month."""
        await self.queue.forget(self.clock() - DEAD_LETTERS_KEPT)

    async def _send_batch(self) -> int:
        now = self.clock()
        batch = await self.queue.claim(now, now + LEASE, BATCH)
        await asyncio.gather(*(self._send(claimed) for claimed in batch))
        return len(batch)

    async def _send(self, claimed: ClaimedMail) -> None:
        mail = claimed.mail
        if mail is None:
            await self._bury(claimed, "cannot be read with this key")
        elif mail.expire_time and mail.expire_time <= self.clock():
            await self._bury(claimed, "came too late")
        else:
            await self._hand_over(claimed, mail)

    async def _hand_over(self, claimed: ClaimedMail, mail: Mail) -> None:
        try:
            if mail.recipient != NOWHERE:
                await self.mailer.send(claimed.mail_id, mail)
        except MailNotSent as failure:
            await self._keep(claimed, failure)
        else:
            await self.queue.finish(claimed)

    async def _keep(self, claimed: ClaimedMail, failure: MailNotSent) -> None:
        if failure.is_final or claimed.attempts >= MAX_ATTEMPTS:
            await self._bury(claimed, str(failure))
            return
        pause = min(timedelta(seconds=2 ** min(claimed.attempts, 10)), LONGEST_PAUSE)
        get_logger("mail").warning(
            "mail not sent", mail_id=claimed.mail_id, attempts=claimed.attempts, why=str(failure)
        )
        await self.queue.postpone(claimed, self.clock() + pause, str(failure))

    async def _bury(self, claimed: ClaimedMail, why: str) -> None:
        count_event("mail.dead")
        get_logger("mail").error("mail given up", mail_id=claimed.mail_id, attempts=claimed.attempts, why=why)
        await self.queue.bury(claimed, self.clock(), why)
