from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Passage(_message.Message):
    __slots__ = ("marker", "document_id", "version_id", "filename", "title", "page_start", "page_end", "start_offset", "end_offset", "text", "heading_path", "score")
    MARKER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PAGE_START_FIELD_NUMBER: _ClassVar[int]
    PAGE_END_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    marker: int
    document_id: str
    version_id: str
    filename: str
    title: str
    page_start: int
    page_end: int
    start_offset: int
    end_offset: int
    text: str
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    score: float
    def __init__(self, marker: _Optional[int] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., filename: _Optional[str] = ..., title: _Optional[str] = ..., page_start: _Optional[int] = ..., page_end: _Optional[int] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., text: _Optional[str] = ..., heading_path: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("marker", "document_id", "version_id", "filename", "page_number", "start_offset", "end_offset", "quote", "check", "answer_start", "answer_end")
    class Check(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CHECK_UNSPECIFIED: _ClassVar[Citation.Check]
        EXACT: _ClassVar[Citation.Check]
        NORMALISED: _ClassVar[Citation.Check]
        UNSUPPORTED: _ClassVar[Citation.Check]
        SOURCE_DELETED: _ClassVar[Citation.Check]
    CHECK_UNSPECIFIED: Citation.Check
    EXACT: Citation.Check
    NORMALISED: Citation.Check
    UNSUPPORTED: Citation.Check
    SOURCE_DELETED: Citation.Check
    MARKER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    ANSWER_START_FIELD_NUMBER: _ClassVar[int]
    ANSWER_END_FIELD_NUMBER: _ClassVar[int]
    marker: int
    document_id: str
    version_id: str
    filename: str
    page_number: int
    start_offset: int
    end_offset: int
    quote: str
    check: Citation.Check
    answer_start: int
    answer_end: int
    def __init__(self, marker: _Optional[int] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., filename: _Optional[str] = ..., page_number: _Optional[int] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., quote: _Optional[str] = ..., check: _Optional[_Union[Citation.Check, str]] = ..., answer_start: _Optional[int] = ..., answer_end: _Optional[int] = ...) -> None: ...
