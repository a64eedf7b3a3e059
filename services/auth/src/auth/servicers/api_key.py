"""ApiKeyService at the RPC edge."""

from datetime import timedelta
from typing import Any

from grpc.aio import ServicerContext

from auth.convert.keys import to_api_key_proto, to_draft
from auth.keys.api_keys import ApiKeys
from docuchat.auth.v1 import api_key_service_pb2 as pb
from docuchat.auth.v1.api_key_service_pb2_grpc import ApiKeyServiceServicer
from servicekit.identity import current_principal
from servicekit.rpc.paging import cut_page, decode_row_key, page_size

Context = ServicerContext[Any, Any]
PAGES = "api-keys"


class ApiKeyServicer(ApiKeyServiceServicer):
    """Manages the API keys of the caller's tenant."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        """Makes a key."""
        issued = await self._keys.create(current_principal(), to_draft(request))
        return pb.CreateApiKeyResponse(api_key=to_api_key_proto(issued.api_key), secret=issued.secret)

    async def GetApiKey(self, request: pb.GetApiKeyRequest, context: Context) -> pb.GetApiKeyResponse:
        """Returns a key."""
        key = await self._keys.get(current_principal(), request.api_key_id)
        return pb.GetApiKeyResponse(api_key=to_api_key_proto(key))

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        """Returns a page of keys, newest first."""
        size, before = page_size(request.page_size), decode_row_key(PAGES, request.page_token)
        rows = await self._keys.list_page(current_principal(), limit=size + 1, before=before)
        page, more = cut_page(PAGES, rows, size, lambda row: (row.create_time, row.api_key_id))
        return pb.ListApiKeysResponse(api_keys=map(to_api_key_proto, page), next_page_token=more)

    async def UpdateApiKey(self, request: pb.UpdateApiKeyRequest, context: Context) -> pb.UpdateApiKeyResponse:
        """Renames a key."""
        key = await self._keys.rename(current_principal(), request.api_key_id, request.name)
        return pb.UpdateApiKeyResponse(api_key=to_api_key_proto(key))

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: Context) -> pb.RotateApiKeyResponse:
        """Gives a key another secret."""
        overlap = timedelta(seconds=request.overlap_seconds)
        issued = await self._keys.rotate(current_principal(), request.api_key_id, overlap)
        return pb.RotateApiKeyResponse(api_key=to_api_key_proto(issued.api_key), secret=issued.secret)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        """Ends a key."""
        key = await self._keys.revoke(current_principal(), request.api_key_id)
        return pb.RevokeApiKeyResponse(api_key=to_api_key_proto(key))
