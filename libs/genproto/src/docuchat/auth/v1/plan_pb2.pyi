import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Plan(_message.Message):
    __slots__ = ("plan_id", "display_name", "monthly_price_minor", "currency", "features", "limits", "stripe_price_id")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STRIPE_PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    display_name: str
    monthly_price_minor: int
    currency: str
    features: _struct_pb2.Struct
    limits: PlanLimits
    stripe_price_id: str
    def __init__(self, plan_id: _Optional[str] = ..., display_name: _Optional[str] = ..., monthly_price_minor: _Optional[int] = ..., currency: _Optional[str] = ..., features: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., limits: _Optional[_Union[PlanLimits, _Mapping]] = ..., stripe_price_id: _Optional[str] = ...) -> None: ...

class PlanLimits(_message.Message):
    __slots__ = ("monthly_tokens", "documents", "storage_bytes", "requests_per_minute", "bots")
    MONTHLY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    BOTS_FIELD_NUMBER: _ClassVar[int]
    monthly_tokens: int
    documents: int
    storage_bytes: int
    requests_per_minute: int
    bots: int
    def __init__(self, monthly_tokens: _Optional[int] = ..., documents: _Optional[int] = ..., storage_bytes: _Optional[int] = ..., requests_per_minute: _Optional[int] = ..., bots: _Optional[int] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("tenant_id", "plan", "status", "stripe_customer_id", "period_end_time")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Subscription.Status]
        ACTIVE: _ClassVar[Subscription.Status]
        TRIALING: _ClassVar[Subscription.Status]
        PAST_DUE: _ClassVar[Subscription.Status]
        CANCELED: _ClassVar[Subscription.Status]
    STATUS_UNSPECIFIED: Subscription.Status
    ACTIVE: Subscription.Status
    TRIALING: Subscription.Status
    PAST_DUE: Subscription.Status
    CANCELED: Subscription.Status
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STRIPE_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_END_TIME_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    plan: Plan
    status: Subscription.Status
    stripe_customer_id: str
    period_end_time: _timestamp_pb2.Timestamp
    def __init__(self, tenant_id: _Optional[str] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ..., status: _Optional[_Union[Subscription.Status, str]] = ..., stripe_customer_id: _Optional[str] = ..., period_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
