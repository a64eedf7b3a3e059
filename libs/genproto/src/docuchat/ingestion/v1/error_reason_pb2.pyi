from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    DOCUMENT_NOT_FOUND: _ClassVar[ErrorReason]
    COLLECTION_NOT_FOUND: _ClassVar[ErrorReason]
    UNSUPPORTED_TYPE: _ClassVar[ErrorReason]
    FILE_TOO_LARGE: _ClassVar[ErrorReason]
    EMPTY: _ClassVar[ErrorReason]
    NO_FILE: _ClassVar[ErrorReason]
    INVALID_MULTIPART: _ClassVar[ErrorReason]
    TOO_MANY_FILES: _ClassVar[ErrorReason]
    UPLOAD_STALLED: _ClassVar[ErrorReason]
    DOCUMENT_NOT_READY: _ClassVar[ErrorReason]
    COLLECTION_EXISTS: _ClassVar[ErrorReason]
    ENCRYPTED: _ClassVar[ErrorReason]
    CORRUPT: _ClassVar[ErrorReason]
    TOO_MANY_PAGES: _ClassVar[ErrorReason]
    PARSE_LIMIT: _ClassVar[ErrorReason]
    PROCESSING_FAILED: _ClassVar[ErrorReason]
    INVALID_RANGE: _ClassVar[ErrorReason]
    EMBEDDING_REFUSED: _ClassVar[ErrorReason]
    INDEX_REFUSED: _ClassVar[ErrorReason]
    OUTAGE_TOO_LONG: _ClassVar[ErrorReason]
    QUOTA_EXCEEDED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
DOCUMENT_NOT_FOUND: ErrorReason
COLLECTION_NOT_FOUND: ErrorReason
UNSUPPORTED_TYPE: ErrorReason
FILE_TOO_LARGE: ErrorReason
EMPTY: ErrorReason
NO_FILE: ErrorReason
INVALID_MULTIPART: ErrorReason
TOO_MANY_FILES: ErrorReason
UPLOAD_STALLED: ErrorReason
DOCUMENT_NOT_READY: ErrorReason
COLLECTION_EXISTS: ErrorReason
ENCRYPTED: ErrorReason
CORRUPT: ErrorReason
TOO_MANY_PAGES: ErrorReason
PARSE_LIMIT: ErrorReason
PROCESSING_FAILED: ErrorReason
INVALID_RANGE: ErrorReason
EMBEDDING_REFUSED: ErrorReason
INDEX_REFUSED: ErrorReason
OUTAGE_TOO_LONG: ErrorReason
QUOTA_EXCEEDED: ErrorReason
