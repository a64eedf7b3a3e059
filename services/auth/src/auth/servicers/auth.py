"""AuthService at the RPC edge."""

from collections.abc import AsyncIterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from grpc.aio import ServicerContext

from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.convert import accounts as convert
from auth.ports.accounts import TokenSigner
from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

Context = ServicerContext[Any, Any]
JWKS_TYPE = "application/jwk-set+json"


class AuthServicer(AuthServiceServicer):
    """Turns credentials into tokens and publishes the keys that verify them."""

    def __init__(
        self, users: Users, sessions: Sessions, services: Services, tokens: TokenSigner, revocations: RevocationFeed
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._services = services
        self._tokens = tokens
        self._revocations = revocations

    async def SignUp(
        self, request: auth_service_pb2.SignUpRequest, context: Context
    ) -> auth_service_pb2.SignUpResponse:
        """Creates a user with a tenant and a session."""
        return convert.to_sign_up_proto(await self._users.sign_up(convert.to_registration(request)))

    async def Login(self, request: auth_service_pb2.LoginRequest, context: Context) -> auth_service_pb2.LoginResponse:
        """Starts a session."""
        tokens = await self._users.log_in(request.email, request.password, request.tenant_id, as_staff=request.as_staff)
        return auth_service_pb2.LoginResponse(tokens=convert.to_tokens_proto(tokens))

    async def Refresh(
        self, request: auth_service_pb2.RefreshRequest, context: Context
    ) -> auth_service_pb2.RefreshResponse:
        """Trades a refresh token."""
        tokens = await self._sessions.refresh(request.refresh_token)
        return auth_service_pb2.RefreshResponse(tokens=convert.to_tokens_proto(tokens))

    async def Logout(
        self, request: auth_service_pb2.LogoutRequest, context: Context
    ) -> auth_service_pb2.LogoutResponse:
        """Ends a session."""
        await self._sessions.end(request.refresh_token)
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
