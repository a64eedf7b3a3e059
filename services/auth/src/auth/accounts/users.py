"""Users: who they are, how they come and how they prove it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from auth.accounts.addresses import name_subject
from auth.accounts.codes import Codes
from auth.accounts.credentials import Passwords
from auth.accounts.homes import add_suffix, describe_tenant, store_tenant
from auth.accounts.names import clean_name, normalise_email
from auth.accounts.passwords import normalise_password
from auth.accounts.sessions import Sessions
from auth.accounts.throttle import check_attempt, count_failure, settle_attempt
from auth.errors.accounts import InvalidCredentials, StaffNotAllowed, UserGone
from auth.model.accounts import (
    NOBODY,
    Account,
    Client,
    Credential,
    Me,
    Membership,
    Purpose,
    Registration,
    SignedUp,
    Tenant,
    Tokens,
    User,
)
from auth.model.codes import Code, CodeUse
from auth.model.mail import Mail
from auth.ports.accounts import AccountStore, FailureStore
from servicekit.identity import Role


@dataclass(frozen=True)
class Users:
    """Signs users up, logs them in and tells them about themselves."""

    accounts: AccountStore
    failures: FailureStore
    passwords: Passwords
    sessions: Sessions
    codes: Codes
    clock: Callable[[], datetime]

    async def sign_up(self, registration: Registration, client: Client = NOBODY) -> SignedUp:
        """Creates a user, a tenant that the user owns, and a session, whether the address has an account or not.

        Raises WeakPassword, TooManyAttempts or AddressLocked.
        """
        email = normalise_email(registration.email)
        names = (registration.display_name, registration.tenant_name)
        password = await self.passwords.check(registration.password, email, *names)
        # Whoever signs others up has them mailed.
        await self.codes.check_overall()
        attempt = self.codes.identify(email, client, Purpose.SIGN_UP)
        await self.failures.change(attempt, lambda found: count_failure(found, attempt, self.clock()))
        credential = await self.passwords.remember(password, email)
        user, tenant = describe(registration, email, self.clock())
        tenant = await self._store(user, credential, tenant, client)
        tokens = await self.sessions.open(user, Membership(tenant, Role.OWNER), client)
        return SignedUp(user, tenant, tokens)

    async def log_in(
        self, email: str, password: str, tenant_id: str = "", client: Client = NOBODY, *, as_staff: bool = False
    ) -> Tokens:
        """Starts a session in the tenant asked for, or in the user's oldest one.

        Raises InvalidCredentials, TenantNotFound, TenantSuspended, UserDeactivated,
        StaffNotAllowed, TooManyAttempts or AddressLocked.
        """
        account = await self._authenticate(normalise_email(email), normalise_password(password), client)
        # The flag of an address that nobody has proven would be anybody's.
        is_staff = account.user.is_staff and account.user.is_email_verified
        if as_staff and not (is_staff and self.sessions.staff_enabled):
            raise StaffNotAllowed
        return await self.sessions.enter(account.user, tenant_id, client, as_staff=as_staff)

    async def describe_me(self, user_id: str) -> Me:
        """Returns the user and the memberships. Raises UserGone."""
        me = await self.accounts.find_me(user_id)
        if me is None:
            raise UserGone
        return me

    async def _store(self, user: User, credential: Credential, tenant: Tenant, client: Client) -> Tenant:
        """Stores all, queues the mail, and returns the tenant, whose slug got a random end if another has it."""
        code, mail = await self._greet(user, client)
        return await store_tenant(tenant, lambda each: self.accounts.create(user, credential, each, code, mail))

    async def _greet(self, user: User, client: Client) -> tuple[Code, Mail]:
        """Returns the code that verifies the new user's address, or what tells the address's owner of the sign-up."""
        owner = await self.accounts.find_owner(user.email)
        is_taken = owner is not None and owner.is_email_verified
        reader, subject = None if is_taken else user.user_id, name_subject(user)
        code, mail = self.codes.draw(CodeUse.VERIFY, user.email, reader, subject=subject, language=client.language)
        return code, Mail(user.email, "address_taken", client.language) if is_taken else mail

    async def _authenticate(self, email: str, password: str, client: Client) -> Account:
        """Returns the account that address and password belong to, and counts the attempt."""
        # Before the database is asked: whoever cannot be served shall cost nothing.
        self.passwords.hasher.require_room()
        attempt = self.codes.identify(email, client, Purpose.PASSWORD)
        # Asked first, so that a guesser who has to wait costs no hashing.
        check_attempt(await self.failures.find(attempt), attempt, self.clock())
        found = await self.accounts.find_candidates(email, self.passwords.tag(password, email))
        account = await self.passwords.find_match(found, password)
        succeeded = account is not None
        await self.failures.change(
            attempt, lambda found: settle_attempt(found, attempt, self.clock(), succeeded=succeeded)
        )
        if account is None:
            raise InvalidCredentials
        if account.user.is_email_verified:
            await self.failures.forget(email)
        await self._renew_credential(account, password)
        return account

    async def _renew_credential(self, account: Account, password: str) -> None:
        """Hashes the password again if the parameters have become stronger since, or if it has no tag yet."""
        if account.credential and self.passwords.is_outdated(account.credential):
            renewed = await self.passwords.remember(password, account.user.email)
            await self.accounts.replace_hash(account.user.user_id, renewed)


def describe(registration: Registration, email: str, now: datetime) -> tuple[User, Tenant]:
    """Returns the user and the tenant to create; names left empty come from what is known."""
    display_name = clean_name(registration.display_name) or email.partition("@")[0]
    given = clean_name(registration.tenant_name)
    tenant = describe_tenant(given or display_name, now)
    # A slug made from the address and taken would tell that the address has an account.
    slug = tenant.slug if given else add_suffix(tenant.slug)
    return User(str(uuid.uuid4()), email, display_name, now), replace(tenant, slug=slug)
