"""persist: how a turn ended is stored whatever happens, within a bound of time."""

import asyncio
from datetime import timedelta

from chat.model import OpenTurn, TurnOutcome
from chat.ports import Conversations
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.telemetry import get_logger

PERSIST_SECONDS = 5.0
SWEEP_SECONDS = 30.0


async def persist(conversations: Conversations, turn: OpenTurn, outcome: TurnOutcome) -> None:
    """Stores an outcome. A caller that is cancelled while it waits does not stop the storing.

    Raises DependencyUnavailable where the database cannot be reached in time.
    """
    await asyncio.shield(asyncio.create_task(_store(conversations, turn, outcome)))


async def _store(conversations: Conversations, turn: OpenTurn, outcome: TurnOutcome) -> None:
    try:
        async with asyncio.timeout(PERSIST_SECONDS):
            await conversations.finish_turn(turn, outcome)
    except TimeoutError as error:
        raise DependencyUnavailable("postgresql") from error


async def sweep_stale_turns(
    conversations: Conversations, *, older_than: timedelta, every_seconds: float = SWEEP_SECONDS
) -> None:
    """Marks answers FAILED that a crash left streaming, now and again and again; never returns."""
    while True:
        try:
            count = await conversations.fail_stale_turns(older_than)
            if count:
                get_logger("chat").warning("answers were left streaming", count=count)
        except AppError as error:
            # The database is away; the next round tries again.
            get_logger("chat").warning("sweep postponed", reason=error.reason)
        await asyncio.sleep(every_seconds)
