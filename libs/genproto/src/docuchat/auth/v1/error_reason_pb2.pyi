from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    INVALID_CREDENTIALS: _ClassVar[ErrorReason]
    WEAK_PASSWORD: _ClassVar[ErrorReason]
    INVALID_REFRESH_TOKEN: _ClassVar[ErrorReason]
    INVALID_SERVICE_CREDENTIALS: _ClassVar[ErrorReason]
    TENANT_NOT_FOUND: _ClassVar[ErrorReason]
    TOO_MANY_ATTEMPTS: _ClassVar[ErrorReason]
    INVALID_CODE: _ClassVar[ErrorReason]
    EMAIL_ALREADY_VERIFIED: _ClassVar[ErrorReason]
    SESSION_NOT_FOUND: _ClassVar[ErrorReason]
    WRONG_PASSWORD: _ClassVar[ErrorReason]
    ROTATION_UNDER_WAY: _ClassVar[ErrorReason]
    QUOTA_EXCEEDED: _ClassVar[ErrorReason]
    PLAN_NOT_FOUND: _ClassVar[ErrorReason]
    BILLING_NOT_CONFIGURED: _ClassVar[ErrorReason]
    NO_CUSTOMER: _ClassVar[ErrorReason]
    INVALID_SIGNATURE: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
INVALID_CREDENTIALS: ErrorReason
WEAK_PASSWORD: ErrorReason
INVALID_REFRESH_TOKEN: ErrorReason
INVALID_SERVICE_CREDENTIALS: ErrorReason
TENANT_NOT_FOUND: ErrorReason
TOO_MANY_ATTEMPTS: ErrorReason
INVALID_CODE: ErrorReason
EMAIL_ALREADY_VERIFIED: ErrorReason
SESSION_NOT_FOUND: ErrorReason
WRONG_PASSWORD: ErrorReason
ROTATION_UNDER_WAY: ErrorReason
QUOTA_EXCEEDED: ErrorReason
PLAN_NOT_FOUND: ErrorReason
BILLING_NOT_CONFIGURED: ErrorReason
NO_CUSTOMER: ErrorReason
INVALID_SIGNATURE: ErrorReason
