"""Opening sessions and making their tokens."""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta

from auth.model import Membership, RefreshToken, Session, Tokens, Verdict
from auth.ports import Needs

REFRESH_TOKEN_BYTES = 32


def make_refresh_token() -> str:
    """Returns 256 random bits that mean nothing to anyone but the store."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def hash_refresh_token(token: str) -> str:
    """Returns SHA-256 in hex; 256 random bits need neither salt nor slowness."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(needs: Needs, user_id: str, membership: Membership) -> Tokens:
    """Starts a session of a user in one tenant and returns its tokens."""
    now = needs.clock()
    session = Session(
        session_id=str(uuid.uuid4()),
        user_id=user_id,
        tenant_id=membership.tenant.tenant_id,
        create_time=now,
        expire_time=now + needs.lifetimes.session,
    )
    refresh_token = make_refresh_token()
    await needs.sessions.open(session, hash_refresh_token(refresh_token))
    return sign_tokens(needs, session, membership, refresh_token)


def sign_tokens(needs: Needs, session: Session, membership: Membership, refresh_token: str) -> Tokens:
    """Returns a session's tokens; the access token never outlives the session."""
    now = needs.clock()
    expire_time = min(now + needs.lifetimes.access_token, session.expire_time)
    access_token = needs.tokens.sign(
        subject=session.user_id,
        tenant_id=session.tenant_id,
        session_id=session.session_id,
        role=membership.role,
        now=now,
        expire_time=expire_time,
    )
    return Tokens(access_token, refresh_token, expires_in=expire_time - now)


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
