"""Six-digit codes by mail: drawn, sent, and redeemed once by whoever reads the mail.

A million codes are few, so every guess is counted before it is judged: by
code (5), by address whoever asks and however often the code was replaced, by
client, and overall.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from auth.accounts.allowances import give_back, take, take_each
from auth.accounts.throttle import count_failure
from auth.errors.accounts import InvalidCode
from auth.model.accounts import Attempt, Client, Purpose
from auth.model.codes import Allowance, Code, CodeLimits, CodeUse, Tally
from auth.model.mail import NOWHERE, Mail
from auth.ports.accounts import FailureStore
from auth.ports.codes import CodeKeys, CodeStore, Devices, TallyStore

DIGITS = 6
LIFETIME = timedelta(minutes=10)
TEMPLATES = {CodeUse.LOG_IN: "log_in_code", CodeUse.RESET: "reset_code", CodeUse.VERIFY: "verify_code"}
# Five that are right make good for one that is wrong, so that a large installation's typing errors stop nobody.
FAILURE_COST, SUCCESS_GIVES = 5, 1
KEPT = timedelta(days=2)
OVERALL = "overall"


@dataclass(frozen=True)
class Codes:
    """Sends codes and redeems them."""

    store: CodeStore
    keys: CodeKeys
    tallies: TallyStore
    failures: FailureStore
    devices: Devices
    clock: Callable[[], datetime]
    limits: CodeLimits = field(default_factory=CodeLimits)

    def draw(self, use: CodeUse, email: str, user_id: str | None, *, subject: str, language: str) -> tuple[Code, Mail]:
        """Returns a code and its mail; without a user one that nobody has and a mail to nowhere."""
        # Drawn in either case, so that both take as long.
        digits, nobodys = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", secrets.token_urlsafe()
        expire_time = self.clock() + LIFETIME
        hashed = self.keys.hash(use, subject, digits if user_id else nobodys)
        code = Code(self.keys.name(use, subject), hashed, user_id, expire_time)
        recipient = email if user_id else NOWHERE
        return code, Mail(recipient, TEMPLATES[use], language, {"code": digits}, expire_time)

    async def request(self, use: CodeUse, email: str, user_id: str | None, *, subject: str, client: Client) -> None:
        """Sends a code in place of the last. The same happens without a user, but for the mail. Raises nothing."""
        code, mail = self.draw(use, email, user_id, subject=subject, language=client.language)
        await self.store.replace(code, mail)

    async def check_request(self, email: str, client: Client) -> None:
        """Counts a wish for a code. Raises TooManyAttempts if there were too many."""
        now, limits = self.clock(), self.limits
        if device := self.devices.identify(email, client):
            # What others asked for does not keep a device waiting that has been here before.
            keys, allowances = [f"device\0{email}\0{device}"], [limits.requests_by_address]
        else:
            keys = [f"address\0{email}", f"client\0{client.address}", OVERALL]
            allowances = [limits.requests_by_address, limits.requests_by_client, limits.requests_overall]
        await self.tallies.change([f"requests\0{key}" for key in keys], lambda held: take_each(held, allowances, now))

    async def check_overall(self) -> None:
        """Counts a mail that nobody asked for by name, such as a sign-up's. Raises TooManyAttempts."""
        now, allowances = self.clock(), [self.limits.requests_overall]
        await self.tallies.change([f"requests\0{OVERALL}"], lambda held: take_each(held, allowances, now))

    async def redeem(self, use: CodeUse, email: str, code: str, *, subject: str, client: Client) -> str:
        """Uses a code up and returns its user. Raises InvalidCode, TooManyAttempts or AddressLocked."""
        attempt = self.identify(email, client)
        await self._count_try(attempt, client)
        hashed = self.keys.hash(use, subject, code)
        user_id = await self.store.redeem(self.keys.name(use, subject), hashed, self.clock())
        if user_id is None:
            raise InvalidCode
        await self._take_back(attempt, client)
        return user_id

    def identify(self, email: str, client: Client, purpose: Purpose = Purpose.CODE) -> Attempt:
        """Returns who tries what for an address."""
        device = self.devices.identify(email, client)
        return Attempt(purpose, email, device or client.address, is_known=bool(device))

    async def forget_expired(self) -> None:
        """Forgets what no longer says anything."""
        await self.store.forget(self.clock() - KEPT)

    async def _count_try(self, attempt: Attempt, client: Client) -> None:
        """Counts a try as failed until it is known to be right: tries at once cannot all be the first."""
        now = self.clock()
        await self.failures.change(attempt, lambda found: count_failure(found, attempt, now))
        if not attempt.is_known:
            await self._change_tallies(client, lambda held, cost, most: take(held, cost, most, now), FAILURE_COST)

    async def _take_back(self, attempt: Attempt, client: Client) -> None:
        now = self.clock()
        # Whoever reads the address's mail is its owner: what others failed at does not concern the owner.
        await self.failures.forget(attempt.email)
        if not attempt.is_known:
            amount = FAILURE_COST + SUCCESS_GIVES
            await self._change_tallies(client, lambda held, some, most: give_back(held, some, most, now), amount)

    async def _change_tallies(
        self, client: Client, change: Callable[[Tally, int, Allowance], Tally], amount: int
    ) -> None:
        limits = self.limits
        allowances = [
            Allowance(each.amount * FAILURE_COST, each.window)
            for each in (limits.failures_by_client, limits.failures_overall)
        ]
        keys = [f"failures\0client\0{client.address}", f"failures\0{OVERALL}"]
        await self.tallies.change(
            keys, lambda held: [change(one, amount, most) for one, most in zip(held, allowances, strict=True)]
        )
