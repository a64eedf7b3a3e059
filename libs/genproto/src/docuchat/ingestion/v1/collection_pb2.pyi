import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Collection(_message.Message):
    __slots__ = ("collection_id", "display_name", "visibility", "owner_user_id", "is_default", "create_time")
    class Visibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VISIBILITY_UNSPECIFIED: _ClassVar[Collection.Visibility]
        PRIVATE: _ClassVar[Collection.Visibility]
        TENANT: _ClassVar[Collection.Visibility]
    VISIBILITY_UNSPECIFIED: Collection.Visibility
    PRIVATE: Collection.Visibility
    TENANT: Collection.Visibility
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    OWNER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    collection_id: str
    display_name: str
    visibility: Collection.Visibility
    owner_user_id: str
    is_default: bool
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, collection_id: _Optional[str] = ..., display_name: _Optional[str] = ..., visibility: _Optional[_Union[Collection.Visibility, str]] = ..., owner_user_id: _Optional[str] = ..., is_default: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
