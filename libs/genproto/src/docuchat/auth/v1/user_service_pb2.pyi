from docuchat.auth.v1 import tenant_pb2 as _tenant_pb2
from docuchat.auth.v1 import user_pb2 as _user_pb2
from docuchat.common.v1 import access_pb2 as _access_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetMeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMeResponse(_message.Message):
    __slots__ = ("user", "tenant_id", "memberships")
    USER_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    user: _user_pb2.User
    tenant_id: str
    memberships: _containers.RepeatedCompositeFieldContainer[_tenant_pb2.Membership]
    def __init__(self, user: _Optional[_Union[_user_pb2.User, _Mapping]] = ..., tenant_id: _Optional[str] = ..., memberships: _Optional[_Iterable[_Union[_tenant_pb2.Membership, _Mapping]]] = ...) -> None: ...
