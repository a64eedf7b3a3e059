"""persist: how a turn ended is stored whatever happens; until then the process that holds it keeps it alive."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from chat.model import OpenTurn, Question, TurnOutcome
from chat.ports import Conversations
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.telemetry import get_logger

PERSIST_SECONDS = 8.0  # that a client waits for its answer to be stored
KEEP_TRYING_SECONDS = 300.0
ATTEMPT_SECONDS = 5.0
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
SETTLE_SECONDS = PERSIST_SECONDS + 1
RENEW_SECONDS = 15.0
SWEEP_SECONDS = 30.0
PASSING = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED})


class HeldTurns:
    """The turns that this process holds open. It renews their leases and stores how they end."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._storing: set[asyncio.Task[None]] = set()
        self._held: Counter[str] = Counter()  # by message id: once while it is written, once while it is stored
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @asynccontextmanager
    async def open(self, question: Question, *, history_limit: int) -> AsyncIterator[OpenTurn]:
        """Stores a question and holds its turn. Raises ConversationNotFound and what keeps it from being stored."""
        turn = await self._conversations.begin_turn(question, history_limit=history_limit)
        self._hold(turn.message_id)
        try:
            yield turn
        finally:
            self._release(turn.message_id)

    async def persist(self, turn: OpenTurn, outcome: TurnOutcome) -> None:
        """Stores an outcome, trying again while the database is away. A caller that is cancelled stops nothing.

        Raises DependencyUnavailable where it is not stored in PERSIST_SECONDS; it is tried for KEEP_TRYING_SECONDS.
        """
        storing = asyncio.create_task(self._store(turn, outcome))
        self._storing.add(storing)
        self._hold(turn.message_id)
        storing.add_done_callback(self._storing.discard)
        storing.add_done_callback(lambda _: self._release(turn.message_id))
        # Not wait_for: running out of patience must not cancel the storing.
        done, _ = await asyncio.wait([storing], timeout=PERSIST_SECONDS)
        if not done:
            raise DependencyUnavailable("postgresql")
        storing.result()

    async def renew(self) -> None:
        """Tells the database that the turns held here are alive. Raises DependencyUnavailable."""
        if self._held:
            await self._conversations.renew_leases(tuple(self._held))

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until no turn is held, at most so long: a stop that cut answers off lets them be stored."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._held:
                    await self._is_idle.wait()

    async def _store(self, turn: OpenTurn, outcome: TurnOutcome) -> None:
        """Raises DependencyUnavailable where no attempt succeeds in time; the sweep ends what is not stored."""
        wait = FIRST_WAIT_SECONDS
        try:
            async with asyncio.timeout(KEEP_TRYING_SECONDS):
                while not await self._is_stored(turn, outcome):
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        except TimeoutError as error:
            get_logger("chat").error("answer lost", message_id=turn.message_id, state=outcome.state)
            raise DependencyUnavailable("postgresql") from error

    async def _is_stored(self, turn: OpenTurn, outcome: TurnOutcome) -> bool:
        """Tries once. Raises what trying again would not change."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._conversations.finish_turn(turn, outcome)
        except (AppError, TimeoutError) as error:
            if isinstance(error, AppError) and error.code not in PASSING:
                raise
            get_logger("chat").warning("answer not stored yet", message_id=turn.message_id, error=type(error).__name__)
            return False
        return True

    def _hold(self, message_id: str) -> None:
        self._held[message_id] += 1
        self._is_idle.clear()

    def _release(self, message_id: str) -> None:
        self._held -= Counter([message_id])  # keeps positive counts only
        if not self._held:
            self._is_idle.set()


async def sweep_stale_turns(conversations: Conversations) -> None:
    """Marks answers FAILED whose process no longer holds them."""
    count = await conversations.fail_stale_turns()
    if count:
        get_logger("chat").warning("answers were left streaming", count=count)
