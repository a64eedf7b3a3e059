from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hit(_message.Message):
    __slots__ = ("text", "score", "document_id", "version_id", "collection_id", "filename", "title", "chunk_index", "page_start", "page_end", "start_offset", "end_offset", "heading_path", "page_break_offsets", "language", "highlights", "token_count", "relevance")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    PAGE_START_FIELD_NUMBER: _ClassVar[int]
    PAGE_END_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    PAGE_BREAK_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    document_id: str
    version_id: str
    collection_id: str
    filename: str
    title: str
    chunk_index: int
    page_start: int
    page_end: int
    start_offset: int
    end_offset: int
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    page_break_offsets: _containers.RepeatedScalarFieldContainer[int]
    language: str
    highlights: _containers.RepeatedCompositeFieldContainer[Highlight]
    token_count: int
    relevance: float
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., collection_id: _Optional[str] = ..., filename: _Optional[str] = ..., title: _Optional[str] = ..., chunk_index: _Optional[int] = ..., page_start: _Optional[int] = ..., page_end: _Optional[int] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., heading_path: _Optional[_Iterable[str]] = ..., page_break_offsets: _Optional[_Iterable[int]] = ..., language: _Optional[str] = ..., highlights: _Optional[_Iterable[_Union[Highlight, _Mapping]]] = ..., token_count: _Optional[int] = ..., relevance: _Optional[float] = ...) -> None: ...

class Highlight(_message.Message):
    __slots__ = ("start_offset", "end_offset", "score")
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    start_offset: int
    end_offset: int
    score: float
    def __init__(self, start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...
