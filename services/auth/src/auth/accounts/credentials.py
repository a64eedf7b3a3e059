"""Passwords as credentials: judged, remembered, recognised and changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from auth.accounts.codes import Codes
from auth.accounts.passwords import check_guesses, check_password, normalise_password
from auth.accounts.throttle import check_attempt, settle_attempt
from auth.errors.accounts import UserGone, WrongPassword
from auth.model.accounts import Account, Client, Credential, Purpose
from auth.model.mail import NOWHERE, Mail
from auth.ports.accounts import AccountStore, FailureStore, GuessCounter, PasswordHasher
from auth.ports.codes import PasswordTags


@dataclass(frozen=True)
class Passwords:
    """What is slow about passwords, and the tag that says which of an address's accounts one belongs to."""

    hasher: PasswordHasher
    guesses: GuessCounter
    tags: PasswordTags

    async def check(self, password: str, email: str, *names: str) -> str:
        """Returns a new password in the form that is remembered. Raises WeakPassword."""
        normalised = normalise_password(password)
        check_password(normalised, email)
        await check_guesses(self.guesses, normalised, email, *names)
        return normalised

    def tag(self, password: str, email: str) -> int:
        """Returns the 8 bits that are stored beside the hash."""
        return self.tags.tag(email, password)

    async def remember(self, password: str, email: str) -> Credential:
        """Returns what is stored of a password."""
        return Credential(await self.hasher.hash(password), self.tag(password, email))

    async def find_match(self, accounts: Sequence[Account], password: str) -> Account | None:
        """Returns the account whose password it is; where there is none to try, it takes as long as for one."""
        for account in accounts:
            password_hash = account.credential.password_hash if account.credential else None
            if await self.hasher.verify(password_hash, password):
                return account
        if not accounts:
            await self.hasher.verify(None, password)
        return None

    def is_outdated(self, credential: Credential) -> bool:
        """Tells whether a credential would be stored in another way today."""
        return credential.tag is None or self.hasher.is_outdated(credential.password_hash)


@dataclass(frozen=True)
class PasswordChange:
    """Changes the password of somebody who is logged in."""

    accounts: AccountStore
    passwords: Passwords
    failures: FailureStore
    codes: Codes
    clock: Callable[[], datetime]

    async def change(self, user_id: str, session_id: str, current: str, new: str, client: Client) -> None:
        """Sets a new password and ends all sessions but the one that asks.

        Raises WrongPassword, WeakPassword, TooManyAttempts, AddressLocked or UserGone.
        """
        account = await self.confirm(user_id, current, client)
        email = account.user.email
        password = await self.passwords.check(new, email, account.user.display_name)
        credential = await self.passwords.remember(password, email)
        # To an address that nobody has proven to be theirs it would be somebody else's mail.
        recipient = email if account.user.is_email_verified else NOWHERE
        mail = Mail(recipient, "password_changed", client.language)
        await self.accounts.change_password(user_id, credential, self.clock(), keep=session_id, mail=mail)

    async def confirm(self, user_id: str, password: str, client: Client) -> Account:
        """Returns the user's account if this is its password. Raises what `change` raises but WeakPassword.

        The attempt counts like a log-in: a stolen access token is no way around the limit.
        """
        account = await self.accounts.find_account(user_id)
        if account is None:
            raise UserGone
        attempt = self.codes.identify(account.user.email, client, Purpose.PASSWORD)
        check_attempt(await self.failures.find(attempt), attempt, self.clock())
        matching = await self.passwords.find_match([account], normalise_password(password))
        await self.failures.change(
            attempt,
            lambda found: settle_attempt(found, attempt, self.clock(), succeeded=matching is not None),
        )
        if matching is None:
            raise WrongPassword
        return account
