"""Between the protos and the model of API keys."""

from datetime import UTC

from auth.model.keys import ApiKey, ApiKeyDraft
from docuchat.auth.v1 import api_key_pb2, api_key_service_pb2
from servicekit.rpc.call import to_scopes


def to_draft(request: api_key_service_pb2.CreateApiKeyRequest) -> ApiKeyDraft:
    """Returns what somebody asks for."""
    return ApiKeyDraft(
        name=request.name,
        scopes=to_scopes(request.scopes),
        expire_time=request.expire_time.ToDatetime(tzinfo=UTC) if request.HasField("expire_time") else None,
        is_on_behalf_of_allowed=request.is_on_behalf_of_allowed,
    )


def to_api_key_proto(key: ApiKey) -> api_key_pb2.ApiKey:
    """Returns the key's message."""
    return api_key_pb2.ApiKey(
        api_key_id=key.api_key_id,
        name=key.name,
        prefix=key.prefix,
        scopes=[scope.value for scope in sorted(key.scopes)],
        user_id=key.user_id,
        is_on_behalf_of_allowed=key.is_on_behalf_of_allowed,
        create_time=key.create_time,
        expire_time=key.expire_time,
        last_use_time=key.last_use_time,
        revoke_time=key.revoke_time,
        previous_secret_expire_time=key.previous_expire_time,
    )
