from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    EMPTY_QUERY: _ClassVar[ErrorReason]
    INDEX_UNAVAILABLE: _ClassVar[ErrorReason]
    EMBEDDER_UNAVAILABLE: _ClassVar[ErrorReason]
    VERSION_INCOMPLETE: _ClassVar[ErrorReason]
    INVALID_INDEX_STREAM: _ClassVar[ErrorReason]
    DOCUMENT_DELETED: _ClassVar[ErrorReason]
    COLLECTION_UNKNOWN: _ClassVar[ErrorReason]
    COLLECTION_MISMATCH: _ClassVar[ErrorReason]
    EMBEDDER_REFUSED: _ClassVar[ErrorReason]
    INDEX_REFUSED: _ClassVar[ErrorReason]
    QUOTA_EXCEEDED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
EMPTY_QUERY: ErrorReason
INDEX_UNAVAILABLE: ErrorReason
EMBEDDER_UNAVAILABLE: ErrorReason
VERSION_INCOMPLETE: ErrorReason
INVALID_INDEX_STREAM: ErrorReason
DOCUMENT_DELETED: ErrorReason
COLLECTION_UNKNOWN: ErrorReason
COLLECTION_MISMATCH: ErrorReason
EMBEDDER_REFUSED: ErrorReason
INDEX_REFUSED: ErrorReason
QUOTA_EXCEEDED: ErrorReason
