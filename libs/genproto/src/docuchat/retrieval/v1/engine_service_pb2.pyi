from buf.validate import validate_pb2 as _validate_pb2
from docuchat.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EngineCondition(_message.Message):
    __slots__ = ("key", "any_of")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    key: str
    any_of: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., any_of: _Optional[_Iterable[str]] = ...) -> None: ...

class EngineFilter(_message.Message):
    __slots__ = ("must", "must_not")
    MUST_FIELD_NUMBER: _ClassVar[int]
    MUST_NOT_FIELD_NUMBER: _ClassVar[int]
    must: _containers.RepeatedCompositeFieldContainer[EngineCondition]
    must_not: _containers.RepeatedCompositeFieldContainer[EngineCondition]
    def __init__(self, must: _Optional[_Iterable[_Union[EngineCondition, _Mapping]]] = ..., must_not: _Optional[_Iterable[_Union[EngineCondition, _Mapping]]] = ...) -> None: ...

class EngineSparseVector(_message.Message):
    __slots__ = ("indices", "values")
    INDICES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    indices: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, indices: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class EnginePoint(_message.Message):
    __slots__ = ("point_id", "dense", "sparse", "payload")
    POINT_ID_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    point_id: str
    dense: _containers.RepeatedScalarFieldContainer[float]
    sparse: EngineSparseVector
    payload: bytes
    def __init__(self, point_id: _Optional[str] = ..., dense: _Optional[_Iterable[float]] = ..., sparse: _Optional[_Union[EngineSparseVector, _Mapping]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class EngineMatch(_message.Message):
    __slots__ = ("score", "payload", "point_id")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    POINT_ID_FIELD_NUMBER: _ClassVar[int]
    score: float
    payload: bytes
    point_id: str
    def __init__(self, score: _Optional[float] = ..., payload: _Optional[bytes] = ..., point_id: _Optional[str] = ...) -> None: ...

class GetPointsRequest(_message.Message):
    __slots__ = ("collection", "point_ids")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    POINT_IDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    point_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collection: _Optional[str] = ..., point_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class StoredPoint(_message.Message):
    __slots__ = ("point_id", "payload")
    POINT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    point_id: str
    payload: bytes
    def __init__(self, point_id: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class GetPointsResponse(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[StoredPoint]
    def __init__(self, points: _Optional[_Iterable[_Union[StoredPoint, _Mapping]]] = ...) -> None: ...

class PrepareCollectionRequest(_message.Message):
    __slots__ = ("collection", "dimensions", "keyword_keys", "tenant_key")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_KEYS_FIELD_NUMBER: _ClassVar[int]
    TENANT_KEY_FIELD_NUMBER: _ClassVar[int]
    collection: str
    dimensions: int
    keyword_keys: _containers.RepeatedScalarFieldContainer[str]
    tenant_key: str
    def __init__(self, collection: _Optional[str] = ..., dimensions: _Optional[int] = ..., keyword_keys: _Optional[_Iterable[str]] = ..., tenant_key: _Optional[str] = ...) -> None: ...

class PrepareCollectionResponse(_message.Message):
    __slots__ = ("point_count",)
    POINT_COUNT_FIELD_NUMBER: _ClassVar[int]
    point_count: int
    def __init__(self, point_count: _Optional[int] = ...) -> None: ...

class UpsertPointsRequest(_message.Message):
    __slots__ = ("collection", "points")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    points: _containers.RepeatedCompositeFieldContainer[EnginePoint]
    def __init__(self, collection: _Optional[str] = ..., points: _Optional[_Iterable[_Union[EnginePoint, _Mapping]]] = ...) -> None: ...

class UpsertPointsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MatchPointsRequest(_message.Message):
    __slots__ = ("collection", "filter", "corpus", "dense", "sparse", "limit", "payload_keys", "whole_count")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_KEYS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: EngineFilter
    corpus: EngineFilter
    dense: _containers.RepeatedScalarFieldContainer[float]
    sparse: EngineSparseVector
    limit: int
    payload_keys: _containers.RepeatedScalarFieldContainer[str]
    whole_count: int
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[EngineFilter, _Mapping]] = ..., corpus: _Optional[_Union[EngineFilter, _Mapping]] = ..., dense: _Optional[_Iterable[float]] = ..., sparse: _Optional[_Union[EngineSparseVector, _Mapping]] = ..., limit: _Optional[int] = ..., payload_keys: _Optional[_Iterable[str]] = ..., whole_count: _Optional[int] = ...) -> None: ...

class MatchPointsResponse(_message.Message):
    __slots__ = ("dense", "sparse")
    DENSE_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    dense: _containers.RepeatedCompositeFieldContainer[EngineMatch]
    sparse: _containers.RepeatedCompositeFieldContainer[EngineMatch]
    def __init__(self, dense: _Optional[_Iterable[_Union[EngineMatch, _Mapping]]] = ..., sparse: _Optional[_Iterable[_Union[EngineMatch, _Mapping]]] = ...) -> None: ...

class CountPointsRequest(_message.Message):
    __slots__ = ("collection", "filter")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: EngineFilter
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[EngineFilter, _Mapping]] = ...) -> None: ...

class CountPointsResponse(_message.Message):
    __slots__ = ("point_count",)
    POINT_COUNT_FIELD_NUMBER: _ClassVar[int]
    point_count: int
    def __init__(self, point_count: _Optional[int] = ...) -> None: ...

class DeletePointsRequest(_message.Message):
    __slots__ = ("collection", "filter")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: EngineFilter
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[EngineFilter, _Mapping]] = ...) -> None: ...

class DeletePointsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FlushCollectionRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class FlushCollectionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeepCollectionsRequest(_message.Message):
    __slots__ = ("collections",)
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collections: _Optional[_Iterable[str]] = ...) -> None: ...

class KeepCollectionsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("engine_version",)
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    engine_version: str
    def __init__(self, engine_version: _Optional[str] = ...) -> None: ...
