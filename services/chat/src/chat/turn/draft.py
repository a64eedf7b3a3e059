"""What an answer has become so far: exactly what was sent."""

import time
from collections.abc import Callable

from chat.model import (
    Citation,
    Completed,
    Failed,
    FinishReason,
    MessageState,
    OpenTurn,
    Prompt,
    ProviderFinish,
    TurnOutcome,
    Usage,
)
from chat.ports import AnswerProvider, TokenCounter
from chat.turn.build_prompt import NO_ANSWER_SENTENCE

Clock = Callable[[], float]  # seconds, monotonic


class Draft:
    """Collects text, citations and times of one answer; begins its clock when made."""

    def __init__(
        self,
        provider: AnswerProvider,
        count_tokens: TokenCounter,
        usage_id: str = "",
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._usage_id = usage_id
        self._provider = provider
        self._count_tokens = count_tokens
        self._clock = clock
        self._began = clock()
        self._first_text_ms = 0
        self._finish: ProviderFinish | None = None
        self.prompt: Prompt | None = None
        self.text = ""
        self.citations: list[Citation] = []

    def add_text(self, text: str) -> None:
        """Notes text that is sent next."""
        if not self.text:
            self._first_text_ms = self._elapsed_ms()
        self.text += text

    def add_marker(self, marker: str, citation: Citation) -> None:
        """Notes a marker and its citation, which are sent next: neither is ever kept without the other."""
        self.add_text(marker)
        self.citations.append(citation)

    def finish(self, finish: ProviderFinish) -> None:
        """Notes that the provider came to its end."""
        self._finish = finish

    @property
    def is_finished(self) -> bool:
        """Whether the provider came to its end."""
        return self._finish is not None

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended; NO_ANSWER also where the model wrote the sentence it was told to."""
        reason = self._finish.reason if self._finish else FinishReason.STOP
        said_no = self.prompt is not None and self.text.strip().startswith(NO_ANSWER_SENTENCE[self.prompt.language])
        return FinishReason.NO_ANSWER if reason is FinishReason.STOP and said_no else reason

    @property
    def usage(self) -> Usage:
        """What the provider reported, or else what was sent to it and came from it, counted."""
        if self._finish and self._finish.usage:
            return self._finish.usage
        read = self.prompt.input_tokens if self.prompt else 0
        return Usage(read, self._count_tokens(self.text), reported_by_provider=False)

    def outcome(self, state: MessageState, error_reason: str = "") -> TurnOutcome:
        """Returns what is kept of the answer as it is now."""
        return TurnOutcome(
            state=state,
            text=self.text,
            citations=tuple(self.citations),
            usage=self.usage,
            provider=self._provider.name,
            model=self._provider.model,
            latency_ms=self._elapsed_ms(),
            time_to_first_token_ms=self._first_text_ms,
            finish_reason=self.finish_reason if state is MessageState.COMPLETE else None,
            error_reason=error_reason,
            usage_id=self._usage_id,
        )

    def outcome_of(self, last: Completed | Failed) -> TurnOutcome:
        """Returns what is kept of an answer that ends with this event."""
        if isinstance(last, Failed):
            return self.outcome(MessageState.FAILED, last.reason)
        return self.outcome(MessageState.COMPLETE)

    def completed(self, turn: OpenTurn, documents_in_progress: int) -> Completed:
        """Returns the last event of an answer that is whole."""
        return Completed(
            conversation_id=turn.conversation_id,
            message_id=turn.message_id,
            finish_reason=self.finish_reason,
            provider=self._provider.name,
            model=self._provider.model,
            latency_ms=self._elapsed_ms(),
            time_to_first_token_ms=self._first_text_ms,
            documents_in_progress=documents_in_progress,
        )

    def _elapsed_ms(self) -> int:
        return round((self._clock() - self._began) * 1000)
