"""Coming in, and coming back in, by an address that one reads the mail of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth.accounts.codes import Codes
from auth.accounts.credentials import Passwords
from auth.accounts.names import normalise_email
from auth.accounts.sessions import Sessions
from auth.errors.accounts import EmailAlreadyVerified, InvalidCode, UserGone
from auth.model.accounts import Client, Proof, Tokens, User
from auth.model.codes import CodeUse
from auth.model.mail import Mail
from auth.ports.accounts import AccountStore


@dataclass(frozen=True)
class Addresses:
    """Logs in by code, resets passwords and verifies addresses."""

    accounts: AccountStore
    passwords: Passwords
    sessions: Sessions
    codes: Codes
    clock: Callable[[], datetime]

    async def request(self, use: CodeUse, email: str, client: Client) -> None:
        """Mails a code if the address has an account, and works as long if not. Raises TooManyAttempts."""
        email = normalise_email(email)
        await self.codes.check_request(email, client)
        owner = await self.accounts.find_owner(email)
        user_id = owner.user_id if owner else None
        await self.codes.request(use, email, user_id, subject=email, client=client)

    async def log_in(self, email: str, code: str, tenant_id: str, client: Client) -> Tokens:
        """Starts a session. Raises InvalidCode, TenantNotFound, TooManyAttempts or AddressLocked."""
        user = await self._prove(CodeUse.LOG_IN, normalise_email(email), code, client)
        return await self.sessions.enter(user, tenant_id, client)

    async def reset_password(self, email: str, code: str, new: str, client: Client) -> None:
        """Sets a new password and ends all sessions.

        Raises WeakPassword, with which the code stays good, InvalidCode, TooManyAttempts or AddressLocked.
        """
        email = normalise_email(email)
        password = await self.passwords.check(new, email)
        # Hashed before the code is judged, so that the answer's time does not tell the one from the other.
        credential = await self.passwords.remember(password, email)
        user = await self._prove(CodeUse.RESET, email, code, client)
        mail = Mail(email, "password_changed", client.language)
        await self.accounts.change_password(user.user_id, credential, self.clock(), keep="", mail=mail)

    async def request_verification(self, user_id: str, client: Client) -> None:
        """Mails a code for the user's own address. Raises EmailAlreadyVerified, TooManyAttempts or UserGone."""
        user = await self._find(user_id)
        if user.is_email_verified:
            raise EmailAlreadyVerified
        await self.codes.check_request(user.email, client)
        owner = await self.accounts.find_owner(user.email)
        # Somebody else has verified it: the answer does not tell, and the mail goes nowhere.
        is_taken = owner is not None and owner.is_email_verified
        reader = None if is_taken else user_id
        await self.codes.request(CodeUse.VERIFY, user.email, reader, subject=name_subject(user), client=client)

    async def verify(self, user_id: str, code: str, client: Client) -> User:
        """Makes the address the user's own. Raises InvalidCode, EmailAlreadyVerified or what a wrong code costs."""
        user = await self._find(user_id)
        if user.is_email_verified:
            raise EmailAlreadyVerified
        await self.codes.redeem(CodeUse.VERIFY, user.email, code, subject=name_subject(user), client=client)
        return await self._own(user_id, user.email, Proof.SESSION)

    async def _prove(self, use: CodeUse, email: str, code: str, client: Client) -> User:
        user_id = await self.codes.redeem(use, email, code, subject=email, client=client)
        return await self._own(user_id, email, Proof.MAIL)

    async def _own(self, user_id: str, email: str, proof: Proof) -> User:
        """Returns the user, whose address is verified now. Raises InvalidCode if it went to another meanwhile."""
        if not await self.accounts.verify_email(user_id, email, self.clock(), proof):
            raise InvalidCode
        return await self._find(user_id)

    async def _find(self, user_id: str) -> User:
        account = await self.accounts.find_account(user_id)
        if account is None:
            raise UserGone
        return account.user


def name_subject(user: User) -> str:
    """Returns whom a code verifies an address for: of several accounts that share it, one."""
    return f"{user.user_id}\0{user.email}"
