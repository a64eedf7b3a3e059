"""Coming in, by password or by a mailed code, and looking after the account."""

from collections.abc import Sequence

from docuchat.auth.v1 import auth_service_pb2 as auth_pb
from docuchat.auth.v1 import tokens_pb2, user_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.session_pb2 import Session as LogIn
from docuchat.auth.v1.user_pb2 import User
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from docuchat_client.connection import CALL_SECONDS, Connection
from docuchat_client.session import Session, Tokens


class Accounts:
    """The calls about who the user is."""

    def __init__(self, connection: Connection, session: Session) -> None:
        self._connection = connection
        self.session = session
        self._auth = AuthServiceStub(connection.channel)
        self._users = UserServiceStub(connection.channel)

    async def sign_up(
        self, email: str, password: str, *, display_name: str = "", tenant_name: str = ""
    ) -> auth_pb.SignUpResponse:
        """Creates a user with a tenant and goes on as that user. Raises WEAK_PASSWORD."""
        request = auth_pb.SignUpRequest(
            email=email, password=password, display_name=display_name, tenant_name=tenant_name
        )
        self.session.forget()
        answer = await self._connection.call(
            lambda metadata: self._auth.SignUp(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        self.session.adopt(read_tokens(answer.tokens))
        return answer

    async def log_in(self, email: str, password: str, *, tenant_id: str = "", as_staff: bool = False) -> None:
        """Starts a session and goes on in it. Raises INVALID_CREDENTIALS, TENANT_NOT_FOUND, STAFF_NOT_ALLOWED."""
        request = auth_pb.LoginRequest(
            email=email,
            password=password,
            tenant_id=tenant_id,
            device_token=self.session.device_token,
            as_staff=as_staff,
        )
        self.session.forget()
        answer = await self._connection.call(
            lambda metadata: self._auth.Login(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        self.session.adopt(read_tokens(answer.tokens))

    async def request_code(self, email: str) -> None:
        """Has a code mailed, if the address has an account."""
        request = auth_pb.RequestCodeRequest(email=email, device_token=self.session.device_token)
        await self._connection.call(
            lambda metadata: self._auth.RequestCode(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def log_in_by_code(self, email: str, code: str, *, tenant_id: str = "") -> None:
        """Starts a session with a mailed code and goes on in it. Raises INVALID_CODE, TENANT_NOT_FOUND."""
        request = auth_pb.VerifyCodeRequest(
            email=email, code=code, tenant_id=tenant_id, device_token=self.session.device_token
        )
        self.session.forget()
        answer = await self._connection.call(
            lambda metadata: self._auth.VerifyCode(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        self.session.adopt(read_tokens(answer.tokens))

    async def request_password_reset(self, email: str) -> None:
        """Has a code mailed that sets a new password, if the address has an account."""
        request = auth_pb.RequestPasswordResetRequest(email=email, device_token=self.session.device_token)
        await self._connection.call(
            lambda metadata: self._auth.RequestPasswordReset(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def reset_password(self, email: str, code: str, new_password: str) -> None:
        """Sets a new password with a mailed code; all sessions end. Raises INVALID_CODE, WEAK_PASSWORD."""
        request = auth_pb.ResetPasswordRequest(
            email=email, code=code, new_password=new_password, device_token=self.session.device_token
        )
        await self._connection.call(
            lambda metadata: self._auth.ResetPassword(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def log_out(self, *, everywhere: bool = False) -> None:
        """Ends the session, or all of the user, also on the other side."""
        tokens = self.session.tokens
        self.session.forget()
        if tokens and tokens.refresh_token:
            request = auth_pb.LogoutRequest(refresh_token=tokens.refresh_token, is_everywhere=everywhere)
            await self._connection.call(
                lambda metadata: self._auth.Logout(request, timeout=CALL_SECONDS, metadata=metadata)
            )

    async def me(self) -> user_service_pb2.GetMeResponse:
        """Returns the user behind the token, and the tenants."""
        request = user_service_pb2.GetMeRequest()
        return await self._connection.call(
            lambda metadata: self._users.GetMe(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def request_email_verification(self) -> None:
        """Has a code mailed that verifies the user's address. Raises EMAIL_ALREADY_VERIFIED."""
        request = user_service_pb2.RequestEmailVerificationRequest()
        await self._connection.call(
            lambda metadata: self._users.RequestEmailVerification(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def verify_email(self, code: str) -> User:
        """Makes the address the user's own. Raises INVALID_CODE."""
        request = user_service_pb2.VerifyEmailRequest(code=code)
        answer = await self._connection.call(
            lambda metadata: self._users.VerifyEmail(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.user

    async def change_password(self, current_password: str, new_password: str) -> None:
        """Sets a new password; the user's other sessions end. Raises WRONG_PASSWORD, WEAK_PASSWORD."""
        request = user_service_pb2.ChangePasswordRequest(current_password=current_password, new_password=new_password)
        await self._connection.call(
            lambda metadata: self._users.ChangePassword(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def list_sessions(self) -> Sequence[LogIn]:
        """Returns the user's sessions that have not ended, the one used last first; at most 100."""
        request = user_service_pb2.ListSessionsRequest()
        answer = await self._connection.call(
            lambda metadata: self._users.ListSessions(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.sessions

    async def end_session(self, session_id: str) -> None:
        """Ends one of the user's sessions. Raises SESSION_NOT_FOUND."""
        request = user_service_pb2.RevokeSessionRequest(session_id=session_id)
        await self._connection.call(
            lambda metadata: self._users.RevokeSession(request, timeout=CALL_SECONDS, metadata=metadata)
        )

    async def end_other_sessions(self) -> int:
        """Ends all of the user's sessions but this one; returns how many."""
        request = user_service_pb2.RevokeAllSessionsRequest(keep_current=True)
        answer = await self._connection.call(
            lambda metadata: self._users.RevokeAllSessions(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.revoked


def read_tokens(tokens: tokens_pb2.Tokens) -> Tokens:
    """Returns what a session keeps."""
    return Tokens(tokens.access_token, tokens.refresh_token, tokens.device_token)
