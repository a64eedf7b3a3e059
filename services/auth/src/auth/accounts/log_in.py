"""Logging in with an address and a password."""

from auth.accounts.names import normalise_email
from auth.accounts.passwords import normalise_password
from auth.accounts.sessions import open_session
from auth.accounts.throttle import check_attempt, settle_attempt
from auth.errors import InvalidCredentials, TenantNotFound
from auth.model import Account, Tokens
from auth.ports import Needs


async def log_in(needs: Needs, email: str, password: str, tenant_id: str = "") -> Tokens:
    """Starts a session in the tenant asked for, or in the user's oldest one.

    Raises InvalidCredentials, TenantNotFound, TooManyAttempts or AddressLocked.
    """
    account = await authenticate(needs, normalise_email(email), normalise_password(password))
    membership = await needs.accounts.find_membership(account.user.user_id, tenant_id)
    if membership is None:
        raise TenantNotFound
    return await open_session(needs, account.user.user_id, membership)


async def authenticate(needs: Needs, email: str, password: str) -> Account:
    """Returns the account that address and password belong to, and counts the attempt."""
    # Asked first, so that a guesser who has to wait costs no hashing.
    check_attempt(await needs.failures.find(email), needs.clock())
    account = await needs.accounts.find_by_email(email)
    # Unknown addresses cost a verification too: neither the answer nor its time tells them apart.
    succeeded = await needs.passwords.verify(account.password_hash if account else None, password)
    await needs.failures.change(email, lambda count: settle_attempt(count, needs.clock(), succeeded=succeeded))
    if account is None or not succeeded:
        raise InvalidCredentials
    await renew_hash(needs, account, password)
    return account


async def renew_hash(needs: Needs, account: Account, password: str) -> None:
    """Hashes the password again if the parameters have become stronger since."""
    if needs.passwords.is_outdated(account.password_hash):
        password_hash = await needs.passwords.hash(password)
        await needs.accounts.replace_password_hash(account.user.email, password_hash)
