"""Users: who they are, how they come and how they prove it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth.accounts.homes import describe_tenant, find_home, store_tenant
from auth.accounts.names import clean_name, normalise_email
from auth.accounts.passwords import check_guesses, check_password, normalise_password
from auth.accounts.sessions import Sessions
from auth.accounts.throttle import check_attempt, settle_attempt
from auth.errors.accounts import InvalidCredentials, StaffNotAllowed, UserGone
from auth.model.accounts import Account, Me, Membership, Registration, SignedUp, Tenant, Tokens, User
from auth.ports.accounts import AccountStore, FailureStore, GuessCounter, PasswordHasher
from servicekit.identity import Role


@dataclass(frozen=True)
class Users:
    """Signs users up, logs them in and tells them about themselves."""

    accounts: AccountStore
    failures: FailureStore
    passwords: PasswordHasher
    guesses: GuessCounter
    sessions: Sessions
    clock: Callable[[], datetime]

    async def sign_up(self, registration: Registration) -> SignedUp:
        """Creates a user, a tenant that the user owns, and a session. Raises WeakPassword or EmailTaken."""
        email = normalise_email(registration.email)
        password = normalise_password(registration.password)
        check_password(password, email)
        await check_guesses(self.guesses, password, email, registration.display_name, registration.tenant_name)
        # Hashed before anyone looks whether the address is taken, so that both answers take as long.
        password_hash = await self.passwords.hash(password)
        user, tenant = describe(registration, email, self.clock())
        tenant = await store_tenant(tenant, lambda each: self.accounts.create(user, password_hash, each))
        tokens = await self.sessions.open(user.user_id, Membership(tenant, Role.OWNER))
        return SignedUp(user, tenant, tokens)

    async def log_in(self, email: str, password: str, tenant_id: str = "", *, as_staff: bool = False) -> Tokens:
        """Starts a session in the tenant asked for, or in the user's oldest one.

        Raises InvalidCredentials, TenantNotFound, TenantSuspended, UserDeactivated,
        StaffNotAllowed, TooManyAttempts or AddressLocked.
        """
        account = await self._authenticate(normalise_email(email), normalise_password(password))
        if as_staff and not (account.user.is_staff and self.sessions.staff_enabled):
            raise StaffNotAllowed
        membership = await find_home(self.accounts, account.user, tenant_id, self.clock())
        return await self.sessions.open(account.user.user_id, membership, as_staff=as_staff)

    async def confirm(self, user_id: str, password: str) -> None:
        """Raises InvalidCredentials, TooManyAttempts or AddressLocked unless it is the user's password."""
        user = (await self.describe_me(user_id)).user
        account = await self._authenticate(user.email, normalise_password(password))
        if account.user.user_id != user_id:
            raise InvalidCredentials

    async def describe_me(self, user_id: str) -> Me:
        """Returns the user and the memberships. Raises UserGone."""
        me = await self.accounts.find_me(user_id)
        if me is None:
            raise UserGone
        return me

    async def _authenticate(self, email: str, password: str) -> Account:
        """Returns the account that address and password belong to, and counts the attempt."""
        # Asked first, so that a guesser who has to wait costs no hashing.
        check_attempt(await self.failures.find(email), self.clock())
        account = await self.accounts.find_by_email(email)
        # Unknown addresses cost a verification too: neither the answer nor its time tells them apart.
        succeeded = await self.passwords.verify(account.password_hash if account else None, password)
        await self.failures.change(email, lambda count: settle_attempt(count, self.clock(), succeeded=succeeded))
        if account is None or not succeeded:
            raise InvalidCredentials
        await self._renew_hash(account, password)
        return account

    async def _renew_hash(self, account: Account, password: str) -> None:
        """Hashes the password again if the parameters have become stronger since."""
        if self.passwords.is_outdated(account.password_hash):
            password_hash = await self.passwords.hash(password)
            await self.accounts.replace_password_hash(account.user.email, password_hash)


def describe(registration: Registration, email: str, now: datetime) -> tuple[User, Tenant]:
    """Returns the user and the tenant to create; names left empty come from what is known."""
    display_name = clean_name(registration.display_name) or email.partition("@")[0]
    user = User(str(uuid.uuid4()), email, display_name, now)
    return user, describe_tenant(clean_name(registration.tenant_name) or display_name, now)
