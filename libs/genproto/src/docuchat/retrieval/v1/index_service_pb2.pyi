from buf.validate import validate_pb2 as _validate_pb2
from docuchat.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IndexHeader(_message.Message):
    __slots__ = ("tenant_id", "document_id", "version_id", "collection_id", "private_to_user_id", "filename", "title", "language")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_TO_USER_ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    document_id: str
    version_id: str
    collection_id: str
    private_to_user_id: str
    filename: str
    title: str
    language: str
    def __init__(self, tenant_id: _Optional[str] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., collection_id: _Optional[str] = ..., private_to_user_id: _Optional[str] = ..., filename: _Optional[str] = ..., title: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class IndexChunk(_message.Message):
    __slots__ = ("chunk_index", "text", "start_offset", "end_offset", "page_start", "page_end", "heading_path", "page_break_offsets", "token_count")
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_START_FIELD_NUMBER: _ClassVar[int]
    PAGE_END_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    PAGE_BREAK_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    chunk_index: int
    text: str
    start_offset: int
    end_offset: int
    page_start: int
    page_end: int
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    page_break_offsets: _containers.RepeatedScalarFieldContainer[int]
    token_count: int
    def __init__(self, chunk_index: _Optional[int] = ..., text: _Optional[str] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., page_start: _Optional[int] = ..., page_end: _Optional[int] = ..., heading_path: _Optional[_Iterable[str]] = ..., page_break_offsets: _Optional[_Iterable[int]] = ..., token_count: _Optional[int] = ...) -> None: ...

class IndexBatch(_message.Message):
    __slots__ = ("chunks",)
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    chunks: _containers.RepeatedCompositeFieldContainer[IndexChunk]
    def __init__(self, chunks: _Optional[_Iterable[_Union[IndexChunk, _Mapping]]] = ...) -> None: ...

class IndexChunksRequest(_message.Message):
    __slots__ = ("header", "batch")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    header: IndexHeader
    batch: IndexBatch
    def __init__(self, header: _Optional[_Union[IndexHeader, _Mapping]] = ..., batch: _Optional[_Union[IndexBatch, _Mapping]] = ...) -> None: ...

class IndexChunksResponse(_message.Message):
    __slots__ = ("indexed_count",)
    INDEXED_COUNT_FIELD_NUMBER: _ClassVar[int]
    indexed_count: int
    def __init__(self, indexed_count: _Optional[int] = ...) -> None: ...

class ActivateVersionRequest(_message.Message):
    __slots__ = ("tenant_id", "document_id", "version_id", "chunk_count")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    document_id: str
    version_id: str
    chunk_count: int
    def __init__(self, tenant_id: _Optional[str] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., chunk_count: _Optional[int] = ...) -> None: ...

class ActivateVersionResponse(_message.Message):
    __slots__ = ("embedding_model",)
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    embedding_model: str
    def __init__(self, embedding_model: _Optional[str] = ...) -> None: ...

class HideDocumentRequest(_message.Message):
    __slots__ = ("tenant_id", "document_id")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    document_id: str
    def __init__(self, tenant_id: _Optional[str] = ..., document_id: _Optional[str] = ...) -> None: ...

class HideDocumentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteDocumentRequest(_message.Message):
    __slots__ = ("tenant_id", "document_id")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    document_id: str
    def __init__(self, tenant_id: _Optional[str] = ..., document_id: _Optional[str] = ...) -> None: ...

class DeleteDocumentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExpectedVersion(_message.Message):
    __slots__ = ("tenant_id", "document_id", "version_id", "chunk_count")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    document_id: str
    version_id: str
    chunk_count: int
    def __init__(self, tenant_id: _Optional[str] = ..., document_id: _Optional[str] = ..., version_id: _Optional[str] = ..., chunk_count: _Optional[int] = ...) -> None: ...

class CheckVersionsRequest(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[ExpectedVersion]
    def __init__(self, versions: _Optional[_Iterable[_Union[ExpectedVersion, _Mapping]]] = ...) -> None: ...

class CheckVersionsResponse(_message.Message):
    __slots__ = ("conditions",)
    class Condition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONDITION_UNSPECIFIED: _ClassVar[CheckVersionsResponse.Condition]
        INTACT: _ClassVar[CheckVersionsResponse.Condition]
        DAMAGED: _ClassVar[CheckVersionsResponse.Condition]
        OUTDATED: _ClassVar[CheckVersionsResponse.Condition]
        HIDDEN: _ClassVar[CheckVersionsResponse.Condition]
    CONDITION_UNSPECIFIED: CheckVersionsResponse.Condition
    INTACT: CheckVersionsResponse.Condition
    DAMAGED: CheckVersionsResponse.Condition
    OUTDATED: CheckVersionsResponse.Condition
    HIDDEN: CheckVersionsResponse.Condition
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedScalarFieldContainer[CheckVersionsResponse.Condition]
    def __init__(self, conditions: _Optional[_Iterable[_Union[CheckVersionsResponse.Condition, str]]] = ...) -> None: ...
