from docuchat.chat.v1 import citation_pb2 as _citation_pb2
from docuchat.chat.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AskEvent(_message.Message):
    __slots__ = ("sequence", "started", "sources", "text_delta", "citation", "usage", "completed", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    CITATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    started: AskStarted
    sources: AskSources
    text_delta: AskTextDelta
    citation: _citation_pb2.Citation
    usage: _usage_pb2.Usage
    completed: AskCompleted
    error: AskError
    def __init__(self, sequence: _Optional[int] = ..., started: _Optional[_Union[AskStarted, _Mapping]] = ..., sources: _Optional[_Union[AskSources, _Mapping]] = ..., text_delta: _Optional[_Union[AskTextDelta, _Mapping]] = ..., citation: _Optional[_Union[_citation_pb2.Citation, _Mapping]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., completed: _Optional[_Union[AskCompleted, _Mapping]] = ..., error: _Optional[_Union[AskError, _Mapping]] = ...) -> None: ...

class AskStarted(_message.Message):
    __slots__ = ("conversation_id", "message_id")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    message_id: str
    def __init__(self, conversation_id: _Optional[str] = ..., message_id: _Optional[str] = ...) -> None: ...

class AskSources(_message.Message):
    __slots__ = ("passages",)
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    passages: _containers.RepeatedCompositeFieldContainer[_citation_pb2.Passage]
    def __init__(self, passages: _Optional[_Iterable[_Union[_citation_pb2.Passage, _Mapping]]] = ...) -> None: ...

class AskTextDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class AskCompleted(_message.Message):
    __slots__ = ("conversation_id", "message_id", "finish_reason", "provider", "model", "latency_ms", "time_to_first_token_ms", "documents_in_progress")
    class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FINISH_REASON_UNSPECIFIED: _ClassVar[AskCompleted.FinishReason]
        STOP: _ClassVar[AskCompleted.FinishReason]
        LENGTH: _ClassVar[AskCompleted.FinishReason]
        NO_ANSWER: _ClassVar[AskCompleted.FinishReason]
    FINISH_REASON_UNSPECIFIED: AskCompleted.FinishReason
    STOP: AskCompleted.FinishReason
    LENGTH: AskCompleted.FinishReason
    NO_ANSWER: AskCompleted.FinishReason
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    message_id: str
    finish_reason: AskCompleted.FinishReason
    provider: str
    model: str
    latency_ms: int
    time_to_first_token_ms: int
    documents_in_progress: int
    def __init__(self, conversation_id: _Optional[str] = ..., message_id: _Optional[str] = ..., finish_reason: _Optional[_Union[AskCompleted.FinishReason, str]] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., latency_ms: _Optional[int] = ..., time_to_first_token_ms: _Optional[int] = ..., documents_in_progress: _Optional[int] = ...) -> None: ...

class AskError(_message.Message):
    __slots__ = ("code", "reason", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    reason: str
    message: str
    def __init__(self, code: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
