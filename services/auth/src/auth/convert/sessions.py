"""Sessions between the protos and the model."""

from collections.abc import Sequence

from auth.model.accounts import Session
from docuchat.auth.v1 import session_pb2, user_service_pb2


def to_sessions_proto(sessions: Sequence[Session], current_id: str) -> user_service_pb2.ListSessionsResponse:
    """Returns the answer to somebody who asks for their sessions."""
    return user_service_pb2.ListSessionsResponse(
        sessions=[to_session_proto(session, is_current=session.session_id == current_id) for session in sessions]
    )


def to_session_proto(session: Session, *, is_current: bool) -> session_pb2.Session:
    """Returns the session's message."""
    return session_pb2.Session(
        session_id=session.session_id,
        device=session.device,
        address=session.address,
        create_time=session.create_time,
        last_use_time=session.last_use_time or session.create_time,
        expire_time=session.expire_time,
        tenant_id=session.tenant_id,
        is_current=is_current,
    )
