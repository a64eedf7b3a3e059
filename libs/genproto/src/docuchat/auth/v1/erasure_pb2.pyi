import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Erasure(_message.Message):
    __slots__ = ("erasure_id", "state", "user_id", "tenant_ids", "erased", "create_time", "complete_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Erasure.State]
        ERASING: _ClassVar[Erasure.State]
        ERASED: _ClassVar[Erasure.State]
        CONFIRMED: _ClassVar[Erasure.State]
    STATE_UNSPECIFIED: Erasure.State
    ERASING: Erasure.State
    ERASED: Erasure.State
    CONFIRMED: Erasure.State
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    erasure_id: str
    state: Erasure.State
    user_id: str
    tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    erased: _containers.RepeatedCompositeFieldContainer[ErasedKind]
    create_time: _timestamp_pb2.Timestamp
    complete_time: _timestamp_pb2.Timestamp
    def __init__(self, erasure_id: _Optional[str] = ..., state: _Optional[_Union[Erasure.State, str]] = ..., user_id: _Optional[str] = ..., tenant_ids: _Optional[_Iterable[str]] = ..., erased: _Optional[_Iterable[_Union[ErasedKind, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ErasedKind(_message.Message):
    __slots__ = ("service", "kind", "count")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    service: str
    kind: str
    count: int
    def __init__(self, service: _Optional[str] = ..., kind: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
