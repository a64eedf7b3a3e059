"""UserService at the RPC edge."""

from typing import Any

from grpc.aio import ServicerContext

from auth.accounts.users import Users
from auth.convert import accounts as convert
from auth.convert.tenants import to_caller, to_erasure_proto, to_profile_values
from auth.tenants.erasures import Erasures
from auth.tenants.profiles import Profiles
from docuchat.auth.v1 import user_service_pb2 as pb
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceServicer
from servicekit.identity import current_principal

Context = ServicerContext[Any, Any]


class UserServicer(UserServiceServicer):
    """Tells users about themselves and does what they ask about themselves."""

    def __init__(self, users: Users, profiles: Profiles, erasures: Erasures) -> None:
        self._users = users
        self._profiles = profiles
        self._erasures = erasures

    async def GetMe(self, request: pb.GetMeRequest, context: Context) -> pb.GetMeResponse:
        """Describes the caller."""
        principal = current_principal()
        return convert.to_me_proto(await self._users.describe_me(principal.subject), principal.tenant_id)

    async def UpdateMe(self, request: pb.UpdateMeRequest, context: Context) -> pb.UpdateMeResponse:
        """Changes the caller's names and language."""
        user = await self._profiles.update(to_caller(current_principal()), to_profile_values(request))
        return pb.UpdateMeResponse(user=convert.to_user_proto(user))

    async def EraseMe(self, request: pb.EraseMeRequest, context: Context) -> pb.EraseMeResponse:
        """Begins to erase the caller."""
        erasure = await self._erasures.erase_me(to_caller(current_principal()), request.password)
        return pb.EraseMeResponse(erasure=to_erasure_proto(erasure))

    async def GetErasure(self, request: pb.GetErasureRequest, context: Context) -> pb.GetErasureResponse:
        """Shows the receipt of an erasure."""
        return pb.GetErasureResponse(erasure=to_erasure_proto(await self._erasures.find(request.erasure_id)))
