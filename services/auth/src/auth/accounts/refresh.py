"""Trading a refresh token for new tokens."""

from auth.accounts.sessions import hash_refresh_token, judge_refresh, sign_tokens
from auth.errors import InvalidRefreshToken
from auth.model import Session, Tokens, Verdict
from auth.ports import Needs
from servicekit.telemetry import get_logger


async def refresh(needs: Needs, refresh_token: str) -> Tokens:
    """Uses a refresh token up and returns its session's next tokens. Raises InvalidRefreshToken."""
    successor = needs.successors.derive(refresh_token)
    session = await trade(needs, refresh_token, successor)
    # Read anew each time: whoever lost the membership or the role loses it with the next refresh.
    membership = await needs.accounts.find_membership(session.user_id, session.tenant_id)
    if membership is None:
        raise InvalidRefreshToken
    return sign_tokens(needs, session, membership, successor)


async def trade(needs: Needs, refresh_token: str, successor: str) -> Session:
    """Returns the session that goes on with the successor. Raises InvalidRefreshToken."""
    now = needs.clock()
    traded = await needs.sessions.trade(
        hash_refresh_token(refresh_token),
        hash_refresh_token(successor),
        now,
        lambda session, token, known: judge_refresh(
            session, token, known, now=now, grace=needs.lifetimes.refresh_grace
        ),
    )
    if traded is None:
        raise InvalidRefreshToken
    # The store has committed the revocation by now; raising earlier would have rolled it back.
    if traded.verdict is Verdict.REVOKE:
        get_logger("auth").warning("refresh token reused", session_id=traded.session.session_id)
    if traded.verdict not in {Verdict.ROTATE, Verdict.REPEAT}:
        raise InvalidRefreshToken
    return traded.session
