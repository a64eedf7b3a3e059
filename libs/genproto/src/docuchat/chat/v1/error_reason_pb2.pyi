from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    EMPTY_QUESTION: _ClassVar[ErrorReason]
    CONVERSATION_NOT_FOUND: _ClassVar[ErrorReason]
    RETRIEVAL_UNAVAILABLE: _ClassVar[ErrorReason]
    PROVIDER_UNAVAILABLE: _ClassVar[ErrorReason]
    PROVIDER_MISCONFIGURED: _ClassVar[ErrorReason]
    PROVIDER_RATE_LIMITED: _ClassVar[ErrorReason]
    CONTEXT_TOO_LONG: _ClassVar[ErrorReason]
    CONTENT_FILTERED: _ClassVar[ErrorReason]
    QUOTA_EXCEEDED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
EMPTY_QUESTION: ErrorReason
CONVERSATION_NOT_FOUND: ErrorReason
RETRIEVAL_UNAVAILABLE: ErrorReason
PROVIDER_UNAVAILABLE: ErrorReason
PROVIDER_MISCONFIGURED: ErrorReason
PROVIDER_RATE_LIMITED: ErrorReason
CONTEXT_TOO_LONG: ErrorReason
CONTENT_FILTERED: ErrorReason
QUOTA_EXCEEDED: ErrorReason
