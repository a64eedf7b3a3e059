"""UserService at the RPC edge."""

from typing import Any

from grpc.aio import ServicerContext

from auth.accounts.users import Users
from auth.convert import accounts as convert
from docuchat.auth.v1 import user_service_pb2
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceServicer
from servicekit.identity import current_principal


class UserServicer(UserServiceServicer):
    """Tells users about themselves."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def GetMe(
        self, request: user_service_pb2.GetMeRequest, context: ServicerContext[Any, Any]
    ) -> user_service_pb2.GetMeResponse:
        """Describes the caller."""
        principal = current_principal()
        return convert.to_me_proto(await self._users.describe_me(principal.subject), principal.tenant_id)
