"""Sessions: opened with tokens, kept going by refreshes, ended by the user or by a stolen token."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auth.accounts.homes import find_home, require_usable
from auth.accounts.names import clean_name
from auth.errors.accounts import InvalidRefreshToken, SessionNotFound
from auth.model.accounts import (
    NOBODY,
    Client,
    Lifetimes,
    Membership,
    RefreshToken,
    Session,
    Tokens,
    Trade,
    User,
    Verdict,
)
from auth.ports.accounts import AccountStore, PlanLimits, SessionStore, Successors, TokenSigner
from auth.ports.codes import Devices
from servicekit.identity import Role
from servicekit.telemetry import get_logger

REFRESH_TOKEN_BYTES = 32
LONGEST_DEVICE = 200


@dataclass(frozen=True)
class Sessions:
    """Opens sessions, trades their refresh tokens and ends them."""

    store: SessionStore
    accounts: AccountStore
    tokens: TokenSigner
    successors: Successors
    devices: Devices
    clock: Callable[[], datetime]
    lifetimes: Lifetimes
    limits: PlanLimits
    staff_enabled: bool = False
    """Whether there may be sessions of staff."""

    async def enter(
        self, user: User, tenant_id: str = "", client: Client = NOBODY, *, as_staff: bool = False
    ) -> Tokens:
        """Starts a session in the tenant asked for, or in the oldest one that is open to the user.

        Raises TenantNotFound, TenantSuspended, UserDeactivated.
        """
        membership = await find_home(self.accounts, user, tenant_id, self.clock())
        return await self.open(user, membership, client, as_staff=as_staff)

    async def open(
        self, user: User, membership: Membership, client: Client = NOBODY, *, as_staff: bool = False
    ) -> Tokens:
        """Starts a session of a user in one tenant and returns its tokens. Raises TenantSuspended, UserDeactivated."""
        require_usable(membership)
        now = self.clock()
        session = Session(
            session_id=str(uuid.uuid4()),
            user_id=user.user_id,
            tenant_id=membership.tenant.tenant_id,
            create_time=now,
            expire_time=now + self.lifetimes.session,
            as_staff=as_staff,
            device=clean_name(client.device)[:LONGEST_DEVICE],
            address=client.address,
            last_use_time=now,
        )
        refresh_token = make_refresh_token()
        await self.store.open(session, hash_refresh_token(refresh_token))
        tokens = await self._sign(session, membership, refresh_token)
        # Whoever signed up with somebody else's address must not look like a device of its owner.
        return replace(tokens, device_token=self.devices.issue(user.email)) if user.is_email_verified else tokens

    async def refresh(self, refresh_token: str, client: Client = NOBODY) -> Tokens:
        """Uses a refresh token up and returns its session's next tokens.

        Raises InvalidRefreshToken, TenantSuspended, UserDeactivated.
        """
        successor = self.successors.derive(refresh_token)
        traded = await self._trade(refresh_token, successor, client)
        session = traded.session
        # Read anew each time: whoever lost the membership or the role loses it with the next refresh.
        membership = await self.accounts.find_membership(session.user_id, session.tenant_id)
        if membership is None or (session.as_staff and not self.staff_enabled):
            raise InvalidRefreshToken
        # Before the verdict: these end sessions too, and whoever holds one is told why.
        require_usable(membership)
        if traded.verdict not in {Verdict.ROTATE, Verdict.REPEAT}:
            raise InvalidRefreshToken
        return await self._sign(session, membership, successor)

    async def end(self, refresh_token: str, *, is_everywhere: bool = False) -> None:
        """Ends the session of a refresh token, used or not, or all of its user; an unknown one ends nothing."""
        await self.store.revoke(hash_refresh_token(refresh_token), self.clock(), is_everywhere=is_everywhere)

    async def list_live(self, user_id: str) -> Sequence[Session]:
        """Returns the user's sessions that have not ended, the 100 used last, that one first."""
        return await self.store.list_live(user_id, self.clock())

    async def end_one(self, user_id: str, session_id: str) -> None:
        """Ends one of the user's sessions. Raises SessionNotFound."""
        if not await self.store.revoke_one(user_id, session_id, self.clock()):
            raise SessionNotFound

    async def end_all(self, user_id: str, *, keep: str = "") -> int:
        """Ends the user's sessions but `keep`; returns how many."""
        return await self.store.revoke_all(user_id, self.clock(), keep=keep)

    async def _trade(self, refresh_token: str, successor: str, client: Client) -> Trade:
        """Returns the session of a refresh token, and whether it goes on. Raises InvalidRefreshToken."""
        now, grace = self.clock(), self.lifetimes.refresh_grace
        traded = await self.store.trade(
            hash_refresh_token(refresh_token),
            hash_refresh_token(successor),
            now,
            lambda session, token, known: judge_refresh(session, token, known, now=now, grace=grace),
            client.address,
        )
        if traded is None:
            raise InvalidRefreshToken
        # The store has committed the revocation by now; raising earlier would have rolled it back.
        if traded.verdict is Verdict.REVOKE:
            get_logger("auth").warning("refresh token reused", session_id=traded.session.session_id)
        return traded

    async def _sign(self, session: Session, membership: Membership, refresh_token: str) -> Tokens:
        """Returns a session's tokens; the access token never outlives the session."""
        now = self.clock()
        expire_time = min(now + self.lifetimes.access_token, session.expire_time)
        access_token = self.tokens.sign(
            subject=session.user_id,
            tenant_id=session.tenant_id,
            session_id=session.session_id,
            role=Role.STAFF if session.as_staff else membership.role,
            now=now,
            expire_time=expire_time,
            requests_per_minute=await self.limits.find(session.tenant_id),
        )
        return Tokens(access_token, refresh_token, expires_in=expire_time - now)


def make_refresh_token() -> str:
    """Returns 256 random bits that mean nothing to anyone but the store."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def hash_refresh_token(token: str) -> str:
    """Returns SHA-256 in hex; 256 random bits need neither salt nor slowness."""
    return hashlib.sha256(token.encode()).hexdigest()


def judge_refresh(
    session: Session, token: RefreshToken, successor: RefreshToken | None, *, now: datetime, grace: timedelta
) -> Verdict:
    """Decides about a presented refresh token (RFC 9700, section 4.14.2).

    A token that was used before is either a client that lost the answer, and
    asks again within the grace, or a thief. Who has used what the answer held
    has not lost it. Both would hold the same successor, so whoever uses it last
    is found out.
    """
    # A used token of a dead session ends nothing; only its living thief matters.
    if session.revoke_time is not None or session.expire_time <= now:
        return Verdict.REFUSE
    if token.use_time is None:
        return Verdict.ROTATE
    is_unused = successor is not None and successor.use_time is None
    return Verdict.REPEAT if is_unused and now - token.use_time <= grace else Verdict.REVOKE
