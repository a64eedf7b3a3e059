import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Document(_message.Message):
    __slots__ = ("document_id", "collection_id", "filename", "state", "state_reason", "state_message", "size_bytes", "sha256", "content_type", "page_count", "chunk_count", "indexed_chunk_count", "token_count", "character_count", "language", "title", "version_id", "create_time", "update_time", "process_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Document.State]
        UPLOADED: _ClassVar[Document.State]
        PARSING: _ClassVar[Document.State]
        CHUNKING: _ClassVar[Document.State]
        INDEXING: _ClassVar[Document.State]
        READY: _ClassVar[Document.State]
        NO_TEXT: _ClassVar[Document.State]
        FAILED: _ClassVar[Document.State]
        DELETING: _ClassVar[Document.State]
    STATE_UNSPECIFIED: Document.State
    UPLOADED: Document.State
    PARSING: Document.State
    CHUNKING: Document.State
    INDEXING: Document.State
    READY: Document.State
    NO_TEXT: Document.State
    FAILED: Document.State
    DELETING: Document.State
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    STATE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    INDEXED_CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_COUNT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROCESS_TIME_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    collection_id: str
    filename: str
    state: Document.State
    state_reason: str
    state_message: str
    size_bytes: int
    sha256: str
    content_type: str
    page_count: int
    chunk_count: int
    indexed_chunk_count: int
    token_count: int
    character_count: int
    language: str
    title: str
    version_id: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    process_time: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., collection_id: _Optional[str] = ..., filename: _Optional[str] = ..., state: _Optional[_Union[Document.State, str]] = ..., state_reason: _Optional[str] = ..., state_message: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., content_type: _Optional[str] = ..., page_count: _Optional[int] = ..., chunk_count: _Optional[int] = ..., indexed_chunk_count: _Optional[int] = ..., token_count: _Optional[int] = ..., character_count: _Optional[int] = ..., language: _Optional[str] = ..., title: _Optional[str] = ..., version_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., process_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("chunk_index", "text", "start_offset", "end_offset", "page_start", "page_end", "token_count", "heading_path")
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_START_FIELD_NUMBER: _ClassVar[int]
    PAGE_END_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    chunk_index: int
    text: str
    start_offset: int
    end_offset: int
    page_start: int
    page_end: int
    token_count: int
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, chunk_index: _Optional[int] = ..., text: _Optional[str] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., page_start: _Optional[int] = ..., page_end: _Optional[int] = ..., token_count: _Optional[int] = ..., heading_path: _Optional[_Iterable[str]] = ...) -> None: ...
