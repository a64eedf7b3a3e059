"""Work that a process repeats for as long as it lives, whatever happens in one round."""

import asyncio
from collections.abc import Awaitable, Callable

from servicekit.errors import AppError
from servicekit.telemetry import count_event, get_logger


async def repeat(name: str, work: Callable[[], Awaitable[object]], *, every_seconds: float) -> None:
    """Runs `work` now and again and again; never returns. A failed round is logged and counted, and the next comes."""
    log = get_logger(name)
    while True:
        try:
            await work()
        except AppError as error:
            count_event("background.round.failed", task=name)
            log.warning("round failed", reason=error.reason)
        except Exception:
            count_event("background.round.failed", task=name)
            log.exception("round failed")
        await asyncio.sleep(every_seconds)
