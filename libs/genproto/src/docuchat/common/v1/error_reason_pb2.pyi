from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    TOKEN_MISSING: _ClassVar[ErrorReason]
    TOKEN_EXPIRED: _ClassVar[ErrorReason]
    TOKEN_INVALID: _ClassVar[ErrorReason]
    ACCESS_DENIED: _ClassVar[ErrorReason]
    INVALID_FIELD: _ClassVar[ErrorReason]
    INVALID_PAGE_TOKEN: _ClassVar[ErrorReason]
    INTERNAL_ERROR: _ClassVar[ErrorReason]
    DEPENDENCY_UNAVAILABLE: _ClassVar[ErrorReason]
    DEADLINE_PASSED: _ClassVar[ErrorReason]
    OVERLOADED: _ClassVar[ErrorReason]
    STORAGE_FULL: _ClassVar[ErrorReason]
    TOO_MANY_CONCURRENT_CALLS: _ClassVar[ErrorReason]
    SCOPE_MISSING: _ClassVar[ErrorReason]
    TENANT_RATE_LIMITED: _ClassVar[ErrorReason]
    SESSION_REQUIRED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
TOKEN_MISSING: ErrorReason
TOKEN_EXPIRED: ErrorReason
TOKEN_INVALID: ErrorReason
ACCESS_DENIED: ErrorReason
INVALID_FIELD: ErrorReason
INVALID_PAGE_TOKEN: ErrorReason
INTERNAL_ERROR: ErrorReason
DEPENDENCY_UNAVAILABLE: ErrorReason
DEADLINE_PASSED: ErrorReason
OVERLOADED: ErrorReason
STORAGE_FULL: ErrorReason
TOO_MANY_CONCURRENT_CALLS: ErrorReason
SCOPE_MISSING: ErrorReason
TENANT_RATE_LIMITED: ErrorReason
SESSION_REQUIRED: ErrorReason
