"""UserService at the RPC edge."""

from auth.accounts.addresses import Addresses
from auth.accounts.credentials import PasswordChange
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.convert import accounts as convert
from auth.convert.sessions import to_sessions_proto
from auth.convert.tenants import to_caller, to_erasure_proto, to_profile_values
from auth.servicers.clients import Context, ReadClient
from auth.tenants.erasures import Erasures
from auth.tenants.profiles import Profiles
from docuchat.auth.v1 import user_service_pb2
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceServicer
from servicekit.identity import current_principal


class UserServicer(UserServiceServicer):
    """Tells users about themselves and lets them look after their account."""

    def __init__(
        self,
        users: Users,
        addresses: Addresses,
        password_change: PasswordChange,
        sessions: Sessions,
        profiles: Profiles,
        erasures: Erasures,
        read_client: ReadClient,
    ) -> None:
        self._users = users
        self._addresses = addresses
        self._password_change = password_change
        self._sessions = sessions
        self._profiles = profiles
        self._erasures = erasures
        self._read_client = read_client

    async def GetMe(self, request: user_service_pb2.GetMeRequest, context: Context) -> user_service_pb2.GetMeResponse:
        """Describes the caller."""
        principal = current_principal()
        return convert.to_me_proto(await self._users.describe_me(principal.subject), principal.tenant_id)

    async def RequestEmailVerification(
        self, request: user_service_pb2.RequestEmailVerificationRequest, context: Context
    ) -> user_service_pb2.RequestEmailVerificationResponse:
        """Mails a code to verify the caller's address with."""
        await self._addresses.request_verification(current_principal().subject, self._read_client(context))
        return user_service_pb2.RequestEmailVerificationResponse()

    async def VerifyEmail(
        self, request: user_service_pb2.VerifyEmailRequest, context: Context
    ) -> user_service_pb2.VerifyEmailResponse:
        """Makes the address the caller's own."""
        user = await self._addresses.verify(current_principal().subject, request.code, self._read_client(context))
        return user_service_pb2.VerifyEmailResponse(user=convert.to_user_proto(user))

    async def ChangePassword(
        self, request: user_service_pb2.ChangePasswordRequest, context: Context
    ) -> user_service_pb2.ChangePasswordResponse:
        """Sets a new password."""
        caller, client = current_principal(), self._read_client(context)
        await self._password_change.change(
            caller.subject, caller.session_id, request.current_password, request.new_password, client
        )
        return user_service_pb2.ChangePasswordResponse()

    async def ListSessions(
        self, request: user_service_pb2.ListSessionsRequest, context: Context
    ) -> user_service_pb2.ListSessionsResponse:
        """Lists the caller's sessions."""
        caller = current_principal()
        return to_sessions_proto(await self._sessions.list_live(caller.subject), caller.session_id)

    async def RevokeSession(
        self, request: user_service_pb2.RevokeSessionRequest, context: Context
    ) -> user_service_pb2.RevokeSessionResponse:
        """Ends one of the caller's sessions."""
        await self._sessions.end_one(current_principal().subject, request.session_id)
        return user_service_pb2.RevokeSessionResponse()

    async def RevokeAllSessions(
        self, request: user_service_pb2.RevokeAllSessionsRequest, context: Context
    ) -> user_service_pb2.RevokeAllSessionsResponse:
        """Ends the caller's sessions."""
        caller = current_principal()
        keep = caller.session_id if request.keep_current else ""
        revoked = await self._sessions.end_all(caller.subject, keep=keep)
        return user_service_pb2.RevokeAllSessionsResponse(revoked=revoked)

    async def UpdateMe(
        self, request: user_service_pb2.UpdateMeRequest, context: Context
    ) -> user_service_pb2.UpdateMeResponse:
        """Changes the caller's names and language."""
        user = await self._profiles.update(to_caller(current_principal()), to_profile_values(request))
        return user_service_pb2.UpdateMeResponse(user=convert.to_user_proto(user))

    async def EraseMe(
        self, request: user_service_pb2.EraseMeRequest, context: Context
    ) -> user_service_pb2.EraseMeResponse:
        """Begins to erase the caller."""
        erasure = await self._erasures.erase_me(
            to_caller(current_principal()), request.password, self._read_client(context)
        )
        return user_service_pb2.EraseMeResponse(erasure=to_erasure_proto(erasure))

    async def GetErasure(
        self, request: user_service_pb2.GetErasureRequest, context: Context
    ) -> user_service_pb2.GetErasureResponse:
        """Shows the receipt of an erasure."""
        return user_service_pb2.GetErasureResponse(
            erasure=to_erasure_proto(await self._erasures.find(request.erasure_id))
        )
