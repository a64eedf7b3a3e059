"""What answering a question needs from the outside world."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from chat.model import (
    Conversation,
    Message,
    OpenTurn,
    Owner,
    Passage,
    Prompt,
    ProviderFinish,
    ProviderQuote,
    ProviderText,
    Question,
    TurnOutcome,
)

TokenCounter = Callable[[str], int]
"""Returns the cl100k_base tokens of a text."""


class PassageSearch(Protocol):
    """Finds passages that the caller may see."""

    async def search(
        self, query: str, *, top_k: int, document_ids: Sequence[str], collection_ids: Sequence[str]
    ) -> tuple[Passage, ...]:
        """Returns at most top_k passages, best first, numbered from 1. Raises RetrievalUnavailable."""
        ...


class CanonicalText(Protocol):
    """Reads the text that all offsets count in."""

    async def read(self, passages: Sequence[Passage]) -> Mapping[int, str]:
        """Returns canonical text [start_offset, end_offset) by the passage's marker, in one call.

        Without those that the caller does not see or whose version is not the document's any more. Raises AppError.
        """
        ...


class DocumentProgress(Protocol):
    """Knows which documents are still being processed."""

    async def count_in_progress(self, *, document_ids: Sequence[str], collection_ids: Sequence[str]) -> int:
        """Returns how many documents that the caller sees cannot be searched yet, at most 100. Raises AppError."""
        ...


class AnswerSink(Protocol):
    """Takes an answer while it is written."""

    @property
    def first_time(self) -> float | None:
        """When the first part came, by the event loop's clock; None before."""
        ...

    def on_first(self, call: Callable[[], object]) -> None:
        """Has a function called with the first part, in place of any other before."""
        ...

    async def put(self, part: ProviderText | ProviderQuote) -> None:
        """Takes the next part; waits while too much of the answer lies here that nobody has taken yet."""
        ...


class AnswerProvider(Protocol):
    """Writes answers. Cancelling it ends the work upstream at once."""

    @property
    def name(self) -> str:
        """Who writes, such as "extractive"."""
        ...

    @property
    def max_output_tokens(self) -> int:
        """The most tokens that an answer may have."""
        ...

    @property
    def model(self) -> str:
        """The provider's model."""
        ...

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Puts the answer's parts into a sink and returns how it ended. Raises the provider errors of the model."""
        ...

    async def close(self) -> None:
        """Releases what was opened."""
        ...


class Meter(Protocol):
    """Holds tenants within their plans."""

    async def reserve(self, tenant_id: str, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets tokens aside. Raises AppError QUOTA_EXCEEDED."""
        ...

    async def reduce(self, tenant_id: str, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets fewer tokens aside for the same usage_id; none frees it. Raises AppError."""
        ...


class Conversations(Protocol):
    """Keeps conversations. Every method sees the owner's rows only."""

    async def begin_turn(self, question: Question, *, history_limit: int) -> OpenTurn:
        """Stores a question and its answer as STREAMING, with a lease. Raises ConversationNotFound."""
        ...

    async def finish_turn(self, turn: OpenTurn, outcome: TurnOutcome) -> None:
        """Stores how an answer ended, without what was erased meanwhile; does nothing to one that has ended."""
        ...

    async def renew_leases(self, message_ids: Sequence[str]) -> None:
        """Notes that the process which writes these answers is alive."""
        ...

    async def fail_stale_turns(self) -> int:
        """Marks STREAMING answers FAILED whose lease ran out, and returns how many."""
        ...

    async def get(self, owner: Owner, conversation_id: str) -> Conversation:
        """Returns one conversation. Raises ConversationNotFound."""
        ...

    async def list_page(
        self, owner: Owner, *, limit: int, after: tuple[datetime, str] | None
    ) -> tuple[Conversation, ...]:
        """Returns conversations, the last used first, after (update_time, conversation_id)."""
        ...

    async def delete(self, owner: Owner, conversation_id: str) -> None:
        """Removes a conversation and its messages. Raises ConversationNotFound."""
        ...

    async def list_messages(self, owner: Owner, conversation_id: str, *, limit: int, after: int) -> tuple[Message, ...]:
        """Returns messages, oldest first, after a position (0: from the start). Raises ConversationNotFound."""
        ...


class Quotes(Protocol):
    """Keeps what answers hold of documents in step with the documents."""

    async def erase(self, tenant_id: str, document_id: str) -> int:
        """Erases what the tenant's answers hold of a document, for good; returns how many citations that changed."""
        ...
