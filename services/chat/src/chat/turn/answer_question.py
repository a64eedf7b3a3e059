"""The turn from end to end: condense -> retrieve -> build_prompt -> generate -> verify_citations -> persist."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from chat.errors import EmptyQuestion
from chat.model import (
    Event,
    Failed,
    MessageState,
    OpenTurn,
    ProviderFinish,
    ProviderPart,
    ProviderQuote,
    Question,
    Sources,
    Started,
    TextDelta,
)
from chat.ports import AnswerProvider, CanonicalText, Conversations, PassageSearch, TokenCounter
from chat.turn.build_prompt import build_prompt
from chat.turn.condense import condense
from chat.turn.draft import Draft
from chat.turn.generate import AnswerBounds, generate
from chat.turn.links import SourceLinks
from chat.turn.persist import PERSIST_SECONDS, persist
from chat.turn.retrieve import SourceTexts, retrieve
from chat.turn.scan_answer import AnswerScanner, Marker, Piece, Visible
from chat.turn.verify_citations import CitationVerifier
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

HISTORY_LIMIT = 6  # exchanges
SETTLE_SECONDS = PERSIST_SECONDS + 1
ANY_WORD = re.compile(r"[^\W_]")
INTERNAL = Failed("INTERNAL", "INTERNAL_ERROR", "Something went wrong on our side; ask again.")


@dataclass(frozen=True)
class TurnLimits:
    """What a turn may take: tokens of the prompt, and characters and seconds of the answer."""

    prompt_tokens: int = 8_000
    answer: AnswerBounds = field(default_factory=AnswerBounds)


class AnswerQuestion:
    """Answers questions. Counts open turns, and holds no database connection while an answer streams."""

    def __init__(
        self,
        *,
        search: PassageSearch,
        canonical: CanonicalText,
        provider: AnswerProvider,
        conversations: Conversations,
        count_tokens: TokenCounter,
        limits: TurnLimits,
    ) -> None:
        self._search = search
        self._canonical = canonical
        self._provider = provider
        self._conversations = conversations
        self._count_tokens = count_tokens
        self._limits = limits
        self._open_turns = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """Yields Started, Sources, TextDelta and Citation, Usage, Completed; or Failed as the last.

        Raises EmptyQuestion, ConversationNotFound and whatever keeps the question from being stored, before the
        first event only. Closing the generator stores what was sent as CANCELLED.
        """
        if not ANY_WORD.search(question.text):
            raise EmptyQuestion
        draft = Draft(self._provider, self._count_tokens)
        turn = await self._conversations.begin_turn(question, history_limit=HISTORY_LIMIT)
        self._open_turns += 1
        self._is_idle.clear()
        try:
            async with aclosing(self._answer_or_fail(question, turn, draft)) as events:
                async for event in events:
                    yield event
        finally:
            self._open_turns -= 1
            if not self._open_turns:
                self._is_idle.set()

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until no turn is open, at most so long: a stop that cut answers off lets them be stored."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()

    async def _answer_or_fail(self, question: Question, turn: OpenTurn, draft: Draft) -> AsyncGenerator[Event, None]:
        try:
            async with aclosing(self._run(question, turn, draft)) as events:
                async for event in events:
                    yield event
        except AppError as error:
            failed = Failed(error.code.value, error.reason, error.message)
        except Exception:  # noqa: BLE001 - must end the stream in-band: over HTTP the status has been sent
            get_logger("chat").exception("turn failed", message_id=turn.message_id)
            failed = INTERNAL
        except BaseException:
            await self._keep(turn, draft, MessageState.CANCELLED, "")
            raise
        else:
            return
        await self._keep(turn, draft, MessageState.FAILED, failed.reason)
        yield failed

    async def _run(self, question: Question, turn: OpenTurn, draft: Draft) -> AsyncGenerator[Event, None]:
        yield Started(turn.conversation_id, turn.message_id)
        async with aclosing(self._write(question, turn, draft)) as events:
            async for event in events:
                yield event
        yield draft.usage
        outcome = draft.outcome(MessageState.COMPLETE)
        await persist(self._conversations, turn, outcome)
        yield draft.completed(turn, outcome)

    async def _write(self, question: Question, turn: OpenTurn, draft: Draft) -> AsyncGenerator[Event, None]:
        query = condense(question.text, turn.history)
        found = await retrieve(self._search, question, query)
        budget = self._limits.prompt_tokens
        prompt = build_prompt(question.text, turn.history, found, count_tokens=self._count_tokens, budget=budget)
        draft.prompt = prompt
        yield Sources(prompt.passages)
        scanner = AnswerScanner(SourceLinks([passage.text for passage in prompt.passages]))
        parts = generate(self._provider, prompt, self._limits.answer)
        verifier = CitationVerifier(prompt.passages, SourceTexts(self._canonical, prompt.passages))
        async with aclosing(parts):
            async for part in parts:
                async with aclosing(say(read_part(scanner, part), verifier, draft)) as events:
                    async for event in events:
                        yield event
                if isinstance(part, ProviderFinish):
                    draft.finish(part)

    async def _keep(self, turn: OpenTurn, draft: Draft, state: MessageState, reason: str) -> None:
        """Stores a turn that did not come to its end; the sweep ends those that cannot be stored."""
        try:
            await persist(self._conversations, turn, draft.outcome(state, reason))
        except AppError:
            get_logger("chat").exception("answer not stored", message_id=turn.message_id, state=state)


def read_part(scanner: AnswerScanner, part: ProviderPart) -> list[Piece]:
    """Returns what a provider's part makes visible; quotes and the end flush what was held back."""
    match part:
        case ProviderQuote(marker, quote):
            return [*scanner.finish(), Marker(marker, quote)]
        case ProviderFinish():
            return scanner.finish()
        case _:
            return scanner.feed(part.text)


async def say(pieces: Sequence[Piece], verifier: CitationVerifier, draft: Draft) -> AsyncGenerator[Event, None]:
    """Yields text, each marker with the text before it, and behind it its checked citation."""
    text = ""
    for piece in pieces:
        if isinstance(piece, Visible):
            text += piece.text
            continue
        text += f"[{piece.number}]"
        draft.add_text(text)
        yield TextDelta(text)
        text = ""
        citation = await verifier.verify(piece.number, piece.quote, draft.text)
        draft.add_citation(citation)
        yield citation
    if text:
        draft.add_text(text)
        yield TextDelta(text)
