"""Sessions: opened with tokens, kept going by refreshes, ended by the user or by a stolen token."""

import hashlib
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.errors.accounts import InvalidRefreshToken
from auth.model.accounts import Lifetimes, Membership, RefreshToken, Session, Tokens, Verdict
from auth.ports.accounts import AccountStore, PlanLimits, SessionStore, Successors, TokenSigner
from servicekit.telemetry import get_logger

REFRESH_TOKEN_BYTES = 32


@dataclass(frozen=True)
class Sessions:
    """Opens sessions, trades their refresh tokens and ends them."""

    store: SessionStore
    accounts: AccountStore
    tokens: TokenSigner
    successors: Successors
    clock: Callable[[], datetime]
    lifetimes: Lifetimes
    limits: PlanLimits

    async def open(self, user_id: str, membership: Membership) -> Tokens:
        """Starts a session of a user in one tenant and returns its tokens."""
        now = self.clock()
        session = Session(
            session_id=str(uuid.uuid4()),
            user_id=user_id,
            tenant_id=membership.tenant.tenant_id,
            create_time=now,
            expire_time=now + self.lifetimes.session,
        )
        refresh_token = make_refresh_token()
        await self.store.open(session, hash_refresh_token(refresh_token))
        return await self._sign(session, membership, refresh_token)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Uses a refresh token up and returns its session's next tokens. Raises InvalidRefreshToken."""
        successor = self.successors.derive(refresh_token)
        session = await self._trade(refresh_token, successor)
        # Read anew each time: whoever lost the membership or the role loses it with the next refresh.
        membership = await self.accounts.find_membership(session.user_id, session.tenant_id)
        if membership is None:
            raise InvalidRefreshToken
        return await self._sign(session, membership, successor)

    async def end(self, refresh_token: str) -> None:
        """Ends the session of a refresh token, used or not; an unknown one ends nothing."""
        await self.store.revoke(hash_refresh_token(refresh_token), self.clock())

    async def _trade(self, refresh_token: str, successor: str) -> Session:
        """Returns the session that goes on with the successor. Raises InvalidRefreshToken."""
        now, grace = self.clock(), self.lifetimes.refresh_grace
        traded = await self.store.trade(
            hash_refresh_token(refresh_token),
            hash_refresh_token(successor),
            now,
            lambda session, token, known: judge_refresh(session, token, known, now=now, grace=grace),
        )
        if traded is None:
            raise InvalidRefreshToken
        # The store has committed the revocation by now; raising earlier would have rolled it back.
        if traded.verdict is Verdict.REVOKE:
            get_logger("auth").warning("refresh token reused", session_id=traded.session.session_id)
        if traded.verdict not in {Verdict.ROTATE, Verdict.REPEAT}:
            raise InvalidRefreshToken
        return traded.session

    async def _sign(self, session: Session, membership: Membership, refresh_token: str) -> Tokens:
        """Returns a session's tokens; the access token never outlives the session."""
        now = self.clock()
        expire_time = min(now + self.lifetimes.access_token, session.expire_time)
        access_token = self.tokens.sign(
            subject=session.user_id,
            tenant_id=session.tenant_id,
            session_id=session.session_id,
            role=membership.role,
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
