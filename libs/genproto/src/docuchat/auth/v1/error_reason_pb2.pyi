from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    INVALID_CREDENTIALS: _ClassVar[ErrorReason]
    EMAIL_TAKEN: _ClassVar[ErrorReason]
    WEAK_PASSWORD: _ClassVar[ErrorReason]
    INVALID_REFRESH_TOKEN: _ClassVar[ErrorReason]
    INVALID_SERVICE_CREDENTIALS: _ClassVar[ErrorReason]
    TENANT_NOT_FOUND: _ClassVar[ErrorReason]
    TOO_MANY_ATTEMPTS: _ClassVar[ErrorReason]
    QUOTA_EXCEEDED: _ClassVar[ErrorReason]
    PLAN_NOT_FOUND: _ClassVar[ErrorReason]
    BILLING_NOT_CONFIGURED: _ClassVar[ErrorReason]
    NO_CUSTOMER: _ClassVar[ErrorReason]
    INVALID_SIGNATURE: _ClassVar[ErrorReason]
    API_KEY_INVALID: _ClassVar[ErrorReason]
    API_KEY_EXPIRED: _ClassVar[ErrorReason]
    API_KEY_REVOKED: _ClassVar[ErrorReason]
    API_KEY_NOT_FOUND: _ClassVar[ErrorReason]
    API_KEY_LIMIT_REACHED: _ClassVar[ErrorReason]
    SCOPE_NOT_GRANTED: _ClassVar[ErrorReason]
    ON_BEHALF_OF_NOT_ALLOWED: _ClassVar[ErrorReason]
    INVALID_ON_BEHALF_OF: _ClassVar[ErrorReason]
    INVALID_TENANT_HEADER: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
INVALID_CREDENTIALS: ErrorReason
EMAIL_TAKEN: ErrorReason
WEAK_PASSWORD: ErrorReason
INVALID_REFRESH_TOKEN: ErrorReason
INVALID_SERVICE_CREDENTIALS: ErrorReason
TENANT_NOT_FOUND: ErrorReason
TOO_MANY_ATTEMPTS: ErrorReason
QUOTA_EXCEEDED: ErrorReason
PLAN_NOT_FOUND: ErrorReason
BILLING_NOT_CONFIGURED: ErrorReason
NO_CUSTOMER: ErrorReason
INVALID_SIGNATURE: ErrorReason
API_KEY_INVALID: ErrorReason
API_KEY_EXPIRED: ErrorReason
API_KEY_REVOKED: ErrorReason
API_KEY_NOT_FOUND: ErrorReason
API_KEY_LIMIT_REACHED: ErrorReason
SCOPE_NOT_GRANTED: ErrorReason
ON_BEHALF_OF_NOT_ALLOWED: ErrorReason
INVALID_ON_BEHALF_OF: ErrorReason
INVALID_TENANT_HEADER: ErrorReason
