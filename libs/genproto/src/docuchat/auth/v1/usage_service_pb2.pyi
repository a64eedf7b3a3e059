import datetime

from buf.validate import validate_pb2 as _validate_pb2
from docuchat.common.v1 import access_pb2 as _access_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UsageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_KIND_UNSPECIFIED: _ClassVar[UsageKind]
    ANSWER: _ClassVar[UsageKind]
    DOCUMENT: _ClassVar[UsageKind]
    QUERY: _ClassVar[UsageKind]
USAGE_KIND_UNSPECIFIED: UsageKind
ANSWER: UsageKind
DOCUMENT: UsageKind
QUERY: UsageKind

class UsageEntry(_message.Message):
    __slots__ = ("usage_id", "tenant_id", "user_id", "api_key_id", "kind", "provider", "model", "input_tokens", "output_tokens", "cached_tokens", "end_time")
    USAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    API_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    usage_id: str
    tenant_id: str
    user_id: str
    api_key_id: str
    kind: UsageKind
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, usage_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., user_id: _Optional[str] = ..., api_key_id: _Optional[str] = ..., kind: _Optional[_Union[UsageKind, str]] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReserveUsageRequest(_message.Message):
    __slots__ = ("tenant_id", "usage_id", "tokens", "hold_seconds")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    HOLD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    usage_id: str
    tokens: int
    hold_seconds: int
    def __init__(self, tenant_id: _Optional[str] = ..., usage_id: _Optional[str] = ..., tokens: _Optional[int] = ..., hold_seconds: _Optional[int] = ...) -> None: ...

class ReserveUsageResponse(_message.Message):
    __slots__ = ("remaining_tokens",)
    REMAINING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    remaining_tokens: int
    def __init__(self, remaining_tokens: _Optional[int] = ...) -> None: ...

class CommitUsageRequest(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[UsageEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[UsageEntry, _Mapping]]] = ...) -> None: ...

class CommitUsageResponse(_message.Message):
    __slots__ = ("counted",)
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    counted: int
    def __init__(self, counted: _Optional[int] = ...) -> None: ...

class GetLimitsRequest(_message.Message):
    __slots__ = ("tenant_id",)
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    def __init__(self, tenant_id: _Optional[str] = ...) -> None: ...

class GetLimitsResponse(_message.Message):
    __slots__ = ("documents", "storage_bytes", "bots")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    BOTS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    storage_bytes: int
    bots: int
    def __init__(self, documents: _Optional[int] = ..., storage_bytes: _Optional[int] = ..., bots: _Optional[int] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("window", "start_time", "end_time", "group_by", "user_id", "model")
    class Window(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WINDOW_UNSPECIFIED: _ClassVar[GetUsageRequest.Window]
        LAST_24_HOURS: _ClassVar[GetUsageRequest.Window]
        LAST_7_DAYS: _ClassVar[GetUsageRequest.Window]
        THIS_MONTH: _ClassVar[GetUsageRequest.Window]
    WINDOW_UNSPECIFIED: GetUsageRequest.Window
    LAST_24_HOURS: GetUsageRequest.Window
    LAST_7_DAYS: GetUsageRequest.Window
    THIS_MONTH: GetUsageRequest.Window
    class Grouping(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        GROUPING_UNSPECIFIED: _ClassVar[GetUsageRequest.Grouping]
        DAY: _ClassVar[GetUsageRequest.Grouping]
        USER: _ClassVar[GetUsageRequest.Grouping]
        MODEL: _ClassVar[GetUsageRequest.Grouping]
        API_KEY: _ClassVar[GetUsageRequest.Grouping]
        KIND: _ClassVar[GetUsageRequest.Grouping]
    GROUPING_UNSPECIFIED: GetUsageRequest.Grouping
    DAY: GetUsageRequest.Grouping
    USER: GetUsageRequest.Grouping
    MODEL: GetUsageRequest.Grouping
    API_KEY: GetUsageRequest.Grouping
    KIND: GetUsageRequest.Grouping
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    window: GetUsageRequest.Window
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    group_by: _containers.RepeatedScalarFieldContainer[GetUsageRequest.Grouping]
    user_id: str
    model: str
    def __init__(self, window: _Optional[_Union[GetUsageRequest.Window, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., group_by: _Optional[_Iterable[_Union[GetUsageRequest.Grouping, str]]] = ..., user_id: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("parts", "total", "start_time", "end_time", "quota")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[UsagePart]
    total: UsagePart
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    quota: Quota
    def __init__(self, parts: _Optional[_Iterable[_Union[UsagePart, _Mapping]]] = ..., total: _Optional[_Union[UsagePart, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quota: _Optional[_Union[Quota, _Mapping]] = ...) -> None: ...

class UsagePart(_message.Message):
    __slots__ = ("day", "user_id", "provider", "model", "api_key_id", "kind", "calls", "input_tokens", "output_tokens", "cached_tokens")
    DAY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    day: str
    user_id: str
    provider: str
    model: str
    api_key_id: str
    kind: UsageKind
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    def __init__(self, day: _Optional[str] = ..., user_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., api_key_id: _Optional[str] = ..., kind: _Optional[_Union[UsageKind, str]] = ..., calls: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ...) -> None: ...

class Quota(_message.Message):
    __slots__ = ("plan_id", "monthly_tokens", "used_tokens", "reserved_tokens", "remaining_tokens", "reset_time")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    USED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RESET_TIME_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    monthly_tokens: int
    used_tokens: int
    reserved_tokens: int
    remaining_tokens: int
    reset_time: _timestamp_pb2.Timestamp
    def __init__(self, plan_id: _Optional[str] = ..., monthly_tokens: _Optional[int] = ..., used_tokens: _Optional[int] = ..., reserved_tokens: _Optional[int] = ..., remaining_tokens: _Optional[int] = ..., reset_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
