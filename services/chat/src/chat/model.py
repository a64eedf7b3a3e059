"""The nouns of chat. Offsets count Unicode code points."""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Check(StrEnum):
    """What comparing a quote with the canonical text found, or that the document was deleted since."""

    EXACT = "EXACT"
    NORMALISED = "NORMALISED"
    UNSUPPORTED = "UNSUPPORTED"
    SOURCE_DELETED = "SOURCE_DELETED"


class FinishReason(StrEnum):
    """Why an answer ended without an error."""

    STOP = "STOP"
    LENGTH = "LENGTH"
    NO_ANSWER = "NO_ANSWER"


class MessageRole(StrEnum):
    """Who wrote a message."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"


class MessageState(StrEnum):
    """How far a message is; only STREAMING is not an end state."""

    STREAMING = "STREAMING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Language(StrEnum):
    """The languages that prompts and fixed sentences exist in (ISO 639-1)."""

    ENGLISH = "en"
    PERSIAN = "fa"


@dataclass(frozen=True)
class Owner:
    """The one user who may see a conversation, and the API key that calls for that user, if one does."""

    tenant_id: str
    user_id: str
    api_key_id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Question:
    """One question and what its answer may be made from; an empty conversation_id begins a new one."""

    owner: Owner
    text: str
    conversation_id: str = ""
    document_ids: tuple[str, ...] = ()
    collection_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Highlight:
    """A sentence of a passage, canonical text [start_offset, end_offset); score: the share of the query it covers."""

    start_offset: int
    end_offset: int
    score: float


@dataclass(frozen=True)
class Passage:
    """A numbered piece of a document: canonical text [start_offset, end_offset)."""

    marker: int
    document_id: str
    version_id: str
    filename: str
    title: str
    page_start: int  # from 1; 0 for types without pages
    page_end: int
    start_offset: int
    end_offset: int
    text: str
    score: float
    heading_path: tuple[str, ...] = ()
    page_break_offsets: tuple[int, ...] = ()
    language: str = ""  # ISO 639-1, of the document
    highlights: tuple[Highlight, ...] = ()  # best first
    token_count: int = 0  # of the text; 0 where nobody counted
    relevance: float | None = None  # how surely it is about what was asked, from 0 to 1; None where nobody judged

    def page_of(self, offset: int) -> int:
        """Returns the page that a canonical offset lies on; 0 for types without pages."""
        if not self.page_start:
            return 0
        return self.page_start + bisect_right(self.page_break_offsets, offset)


@dataclass(frozen=True)
class Citation:
    """A place of the answer and the source it rests on.

    Unless UNSUPPORTED, quote is canonical text [start_offset, end_offset). UNSUPPORTED ones have no range and no
    page (all 0), and quote is what was claimed. SOURCE_DELETED ones know the document's id and nothing of it.
    """

    marker: int
    quote: str
    check: Check
    answer_start: int
    answer_end: int
    document_id: str = ""
    version_id: str = ""
    filename: str = ""
    page_number: int = 0
    start_offset: int = 0
    end_offset: int = 0


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; counted with cl100k_base where the provider reports none."""

    input_tokens: int
    output_tokens: int
    reported_by_provider: bool
    cached_tokens: int = 0  # of those read, what the provider had kept; not stored with the message


@dataclass(frozen=True)
class Exchange:
    """An earlier question of the conversation and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Prompt:
    """All that a provider gets: instructions, earlier turns, the question, and the passages as data."""

    language: Language
    instructions: str
    history: tuple[Exchange, ...]
    question: str
    request: str  # passages and question in one text, for providers that read text
    passages: tuple[Passage, ...]
    input_tokens: int


@dataclass(frozen=True)
class ProviderText:
    """A piece of text from a provider; it may hold citation markers."""

    text: str


@dataclass(frozen=True)
class ProviderQuote:
    """A citation that a provider gives as data: the marker's passage and the verbatim words it rests on."""

    marker: int
    quote: str


@dataclass(frozen=True)
class ProviderFinish:
    """How an answer came to its end; usage is None where the provider reports none."""

    reason: FinishReason
    usage: Usage | None = None


ProviderPart = ProviderText | ProviderQuote


@dataclass(frozen=True)
class Started:
    """The question is stored."""

    conversation_id: str
    message_id: str


@dataclass(frozen=True)
class Sources:
    """The passages the answer may use, best first."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True)
class Completed:
    """The answer is whole and stored. documents_in_progress is counted for NO_ANSWER only."""

    conversation_id: str
    message_id: str
    finish_reason: FinishReason
    provider: str
    model: str
    latency_ms: int
    time_to_first_token_ms: int
    documents_in_progress: int = 0


@dataclass(frozen=True)
class Failed:
    """The answer cannot go on; what was sent is stored."""

    code: str
    reason: str
    message: str


Event = Started | Sources | TextDelta | Citation | Usage | Completed | Failed


@dataclass(frozen=True)
class OpenTurn:
    """A stored question whose answer is being written, and the exchanges before it, oldest first."""

    owner: Owner
    conversation_id: str
    message_id: str
    history: tuple[Exchange, ...]


@dataclass(frozen=True)
class TurnOutcome:
    """What is kept of an answer."""

    state: MessageState
    text: str
    citations: tuple[Citation, ...]
    usage: Usage
    provider: str
    model: str
    latency_ms: int
    time_to_first_token_ms: int
    finish_reason: FinishReason | None = None
    error_reason: str = ""
    usage_id: str = ""  # what was set aside for it; empty where no model was to be called


@dataclass(frozen=True)
class Conversation:
    """A series of questions and answers of one user."""

    conversation_id: str
    title: str
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True)
class Message:
    """One question or one answer; questions have no usage."""

    message_id: str
    position: int
    role: MessageRole
    state: MessageState
    text: str
    citations: tuple[Citation, ...]
    usage: Usage | None
    provider: str
    model: str
    latency_ms: int
    time_to_first_token_ms: int
    create_time: datetime
