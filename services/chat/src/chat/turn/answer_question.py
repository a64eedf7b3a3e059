"""The turn from end to end: condense -> retrieve -> build_prompt -> generate -> verify_citations -> persist."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import assert_never

from chat.errors import EmptyQuestion
from chat.model import (
    Completed,
    Failed,
    FinishReason,
    MessageState,
    OpenTurn,
    Passage,
    ProviderFinish,
    ProviderPart,
    ProviderQuote,
    ProviderText,
    Question,
    Sources,
    Started,
    TextDelta,
    TurnOutcome,
)
from chat.ports import AnswerProvider, CanonicalText, DocumentProgress, PassageSearch, TokenCounter
from chat.turn.beside import beside
from chat.turn.build_prompt import IN_PROGRESS_SENTENCE, build_prompt
from chat.turn.condense import condense, needs_history
from chat.turn.draft import Draft
from chat.turn.generate import AnswerBounds, generate
from chat.turn.links import SourceLinks
from chat.turn.persist import HeldTurns
from chat.turn.reserve import Reservation, TokenReserve
from chat.turn.retrieve import SourceTexts, count_in_progress, fetch_texts, retrieve
from chat.turn.say import Send, Speaker
from chat.turn.scan_answer import AnswerScanner, Marker, Piece
from chat.turn.verify_citations import CitationVerifier
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

HISTORY_LIMIT = 6  # exchanges
ANY_WORD = re.compile(r"[^\W_]")
INTERNAL = Failed("INTERNAL", "INTERNAL_ERROR", "Something went wrong on our side; ask again.")


@dataclass(frozen=True)
class TurnLimits:
    """What a turn may take: tokens of the prompt, and characters and seconds of the answer."""

    prompt_tokens: int = 8_000
    answer: AnswerBounds = field(default_factory=AnswerBounds)


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """Answers questions. Holds no database connection while an answer streams."""

    search: PassageSearch
    canonical: CanonicalText
    progress: DocumentProgress
    provider: AnswerProvider
    turns: HeldTurns
    reserve: TokenReserve
    count_tokens: TokenCounter
    limits: TurnLimits

    async def answer(self, question: Question, send: Send) -> None:
        """Sends Started, Sources, TextDelta and Citation, Usage, Completed; or Failed as the last.

        Raises EmptyQuestion, ConversationNotFound, AppError QUOTA_EXCEEDED and whatever keeps the question from being
        stored, before the first event only. Whatever fails later, `send` included, ends in Failed, since over HTTP the
        status has been sent. Being cancelled stores what was sent as CANCELLED.
        """
        if not ANY_WORD.search(question.text):
            raise EmptyQuestion
        opened: asyncio.Future[OpenTurn] = asyncio.get_running_loop().create_future()
        async with beside(self._find(question, opened)) as finding, self.reserve.open(question.owner) as reservation:
            await self._answer(question, opened, finding, reservation, send)

    async def _answer(
        self,
        question: Question,
        opened: asyncio.Future[OpenTurn],
        finding: asyncio.Task[tuple[Passage, ...]],
        reservation: Reservation,
        send: Send,
    ) -> None:
        draft = Draft(self.provider, self.count_tokens, reservation.usage_id)
        async with self.turns.open(question, history_limit=HISTORY_LIMIT) as turn:
            opened.set_result(turn)
            try:
                last: Completed | Failed = await self._write(question, turn, finding, reservation, draft, send)
            except Exception as error:  # noqa: BLE001 - the one gate
                last = explain(error, turn)
            except BaseException:
                await self._keep(turn, draft.outcome(MessageState.CANCELLED))
                raise
            failure = await self._keep(turn, draft.outcome_of(last))
            await send(last if isinstance(last, Failed) else failure or last)

    async def _find(self, question: Question, opened: asyncio.Future[OpenTurn]) -> tuple[Passage, ...]:
        """Searches while the question is stored, unless what to search for stands in what was asked before."""
        history = (await opened).history if needs_history(question) else ()
        return await retrieve(self.search, question, condense(question.text, history))

    async def _write(
        self,
        question: Question,
        turn: OpenTurn,
        finding: asyncio.Task[tuple[Passage, ...]],
        reservation: Reservation,
        draft: Draft,
        send: Send,
    ) -> Completed:
        """Sends the answer and returns the event to send when it is stored."""
        await send(Started(turn.conversation_id, turn.message_id))
        found, budget = await finding, self.limits.prompt_tokens
        prompt = build_prompt(question.text, turn.history, found, count_tokens=self.count_tokens, budget=budget)
        await self.reserve.fit(reservation, turn.owner, prompt)
        draft.prompt = prompt
        async with (
            generate(self.provider, prompt, self.limits.answer) as backlog,
            beside(fetch_texts(self.canonical, prompt.passages)) as fetching,
        ):
            await send(Sources(prompt.passages))
            scanner = AnswerScanner(SourceLinks([passage.text for passage in prompt.passages]))
            speaker = Speaker(CitationVerifier(prompt.passages, SourceTexts(fetching)), draft, send)
            while not draft.is_finished:
                parts = await backlog.take()
                await speaker.say([piece for part in parts for piece in read_part(scanner, part)])
                if isinstance(parts[-1], ProviderFinish):
                    draft.finish(parts[-1])
        in_progress = await self._tell_progress(question, draft, send)
        await send(draft.usage)
        return draft.completed(turn, in_progress)

    async def _tell_progress(self, question: Question, draft: Draft, send: Send) -> int:
        """Returns how many documents may know more soon, and says so; 0 where the question is answered."""
        if draft.finish_reason is not FinishReason.NO_ANSWER or draft.prompt is None:
            return 0
        count = await count_in_progress(self.progress, question)
        if count:
            text = " " + IN_PROGRESS_SENTENCE[draft.prompt.language].format(count=count)
            draft.add_text(text)
            await send(TextDelta(text))
        return count

    async def _keep(self, turn: OpenTurn, outcome: TurnOutcome) -> Failed | None:
        """Stores how a turn ended; returns what kept it from being stored."""
        try:
            await self.turns.persist(turn, outcome)
        except Exception as error:  # noqa: BLE001 - an answer that was sent ends with an event all the same
            return explain(error, turn)
        return None


def explain(error: Exception, turn: OpenTurn) -> Failed:
    """Returns the event that ends an answer; what is not our own error is logged and said to nobody."""
    if isinstance(error, AppError):
        return Failed(error.code.value, error.reason, error.message)
    get_logger("chat").error("turn failed", message_id=turn.message_id, exc_info=error)
    return INTERNAL


def read_part(scanner: AnswerScanner, part: ProviderPart | ProviderFinish) -> list[Piece]:
    """Returns what a provider's part makes visible; quotes and the end flush what was held back."""
    match part:
        case ProviderQuote(marker, quote):
            return [*scanner.finish(), Marker(marker, quote)]
        case ProviderFinish():
            return scanner.finish()
        case ProviderText(text):
            return scanner.feed(text)
        case _:
            assert_never(part)
