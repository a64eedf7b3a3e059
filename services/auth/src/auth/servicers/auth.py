"""AuthService at the RPC edge."""

from collections.abc import AsyncIterator

from google.api.httpbody_pb2 import HttpBody

from auth.accounts.addresses import Addresses
from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.convert import accounts as convert
from auth.model.codes import CodeUse
from auth.ports.accounts import TokenSigner
from auth.servicers.clients import Context, ReadClient
from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

JWKS_TYPE = "application/jwk-set+json"


class AuthServicer(AuthServiceServicer):
    """Turns credentials into tokens and publishes the keys that verify them."""

    def __init__(
        self,
        users: Users,
        addresses: Addresses,
        sessions: Sessions,
        services: Services,
        tokens: TokenSigner,
        revocations: RevocationFeed,
        read_client: ReadClient,
    ) -> None:
        self._users = users
        self._addresses = addresses
        self._sessions = sessions
        self._services = services
        self._tokens = tokens
        self._revocations = revocations
        self._read_client = read_client

    async def SignUp(
        self, request: auth_service_pb2.SignUpRequest, context: Context
    ) -> auth_service_pb2.SignUpResponse:
        """Creates a user with a tenant and a session."""
        signed_up = await self._users.sign_up(convert.to_registration(request), self._read_client(context))
        return convert.to_sign_up_proto(signed_up)

    async def Login(self, request: auth_service_pb2.LoginRequest, context: Context) -> auth_service_pb2.LoginResponse:
        """Starts a session."""
        client = self._read_client(context, request.device, request.device_token)
        tokens = await self._users.log_in(
            request.email, request.password, request.tenant_id, client, as_staff=request.as_staff
        )
        return auth_service_pb2.LoginResponse(tokens=convert.to_tokens_proto(tokens))

    async def RequestCode(
        self, request: auth_service_pb2.RequestCodeRequest, context: Context
    ) -> auth_service_pb2.RequestCodeResponse:
        """Mails a code to log in with."""
        client = self._read_client(context, device_token=request.device_token)
        await self._addresses.request(CodeUse.LOG_IN, request.email, client)
        return auth_service_pb2.RequestCodeResponse()

    async def VerifyCode(
        self, request: auth_service_pb2.VerifyCodeRequest, context: Context
    ) -> auth_service_pb2.VerifyCodeResponse:
        """Starts a session for a code."""
        client = self._read_client(context, request.device, request.device_token)
        tokens = await self._addresses.log_in(request.email, request.code, request.tenant_id, client)
        return auth_service_pb2.VerifyCodeResponse(tokens=convert.to_tokens_proto(tokens))

    async def RequestPasswordReset(
        self, request: auth_service_pb2.RequestPasswordResetRequest, context: Context
    ) -> auth_service_pb2.RequestPasswordResetResponse:
        """Mails a code to set a new password with."""
        client = self._read_client(context, device_token=request.device_token)
        await self._addresses.request(CodeUse.RESET, request.email, client)
        return auth_service_pb2.RequestPasswordResetResponse()

    async def ResetPassword(
        self, request: auth_service_pb2.ResetPasswordRequest, context: Context
    ) -> auth_service_pb2.ResetPasswordResponse:
        """Sets a new password for a code."""
        client = self._read_client(context, device_token=request.device_token)
        await self._addresses.reset_password(request.email, request.code, request.new_password, client)
        return auth_service_pb2.ResetPasswordResponse()

    async def Refresh(
        self, request: auth_service_pb2.RefreshRequest, context: Context
    ) -> auth_service_pb2.RefreshResponse:
        """Trades a refresh token."""
        tokens = await self._sessions.refresh(request.refresh_token, self._read_client(context))
        return auth_service_pb2.RefreshResponse(tokens=convert.to_tokens_proto(tokens))

    async def Logout(
        self, request: auth_service_pb2.LogoutRequest, context: Context
    ) -> auth_service_pb2.LogoutResponse:
        """Ends a session, or all."""
        await self._sessions.end(request.refresh_token, is_everywhere=request.is_everywhere)
        return auth_service_pb2.LogoutResponse()

    async def GetJwks(self, request: auth_service_pb2.GetJwksRequest, context: Context) -> HttpBody:
        """Publishes the keys."""
        return HttpBody(content_type=JWKS_TYPE, data=self._tokens.publish())

    async def IssueServiceToken(
        self, request: auth_service_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_service_pb2.IssueServiceTokenResponse:
        """Gives a service its token."""
        token = self._services.issue_token(request.service_name, request.service_secret)
        return convert.to_service_token_proto(token)

    async def WatchRevocations(
        self, request: auth_service_pb2.WatchRevocationsRequest, context: Context
    ) -> AsyncIterator[auth_service_pb2.WatchRevocationsResponse]:
        """Tells which sessions have ended."""
        async for announcement in self._revocations.watch():
            yield convert.to_announcement_proto(announcement)
