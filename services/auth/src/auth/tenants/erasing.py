"""Going on with erasures until nothing is left, whatever happens on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auth.model.tenants import Erasure, ErasureState
from auth.ports.tenants import Eraser, ErasureStore
from servicekit.errors import AppError
from servicekit.telemetry import count_event, get_logger

# An erasure that nobody has gone on with for this long is anybody's; longer than any one step takes.
LEASE = timedelta(minutes=2)
# How long one erasure is worked on before the next one gets its turn.
TURN = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
LONGEST_DOUBLING = 10
# Longer than any upload, answer or job lives that was under way when the tokens ended.
LOOK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class ErasureWork:
    """Does what erasures need done. Each step may be repeated: what is gone is counted where it went."""

    store: ErasureStore
    erasers: Mapping[str, Eraser]
    clock: Callable[[], datetime]

    async def run_due(self) -> None:
        """Goes on with every erasure that is due, turn by turn."""
        while (erasure := await self.store.claim(self.clock(), self.clock() + LEASE)) is not None:
            await self._take_turn(erasure)

    async def _take_turn(self, erasure: Erasure) -> None:
        try:
            left = await self._erase(erasure, self.clock() + TURN)
        except AppError as error:
            count_event("erasure.step.failed", reason=error.reason)
            get_logger("erasures").warning("erasure waits", erasure_id=erasure.erasure_id, reason=error.reason)
            await self.store.save(postpone(await self._reread(erasure), self.clock()))
        else:
            await self.store.save(advance(erasure, left, tuple(self.erasers), self.clock()))

    async def _erase(self, erasure: Erasure, until: datetime) -> tuple[str, ...]:
        """Works off the pending services; returns those that are left when the turn is over."""
        left = erasure.pending
        for service in erasure.pending:
            if not await self._erase_in(erasure, service, until):
                return left
            left = left[1:]
            await self.store.save(replace(erasure, pending=left, due_time=self.clock() + LEASE))
        return left

    async def _erase_in(self, erasure: Erasure, service: str, until: datetime) -> bool:
        """Has one service erase its part; tells whether nothing is left of it."""
        for subject in erasure.subjects:
            is_complete = False
            while not is_complete:
                if self.clock() > until:
                    return False
                erased = await self.erasers[service].erase(subject)
                await self.store.note(erasure.erasure_id, service, erased.counts, self.clock() + LEASE)
                is_complete = erased.is_complete
        return True

    async def _reread(self, erasure: Erasure) -> Erasure:
        """Returns the erasure as it is stored by now: services that are done stay done."""
        return await self.store.find(erasure.erasure_id) or erasure


def advance(erasure: Erasure, left: tuple[str, ...], services: tuple[str, ...], now: datetime) -> Erasure:
    """Returns the erasure after a turn that went well: the next turn, the second look, or the end."""
    if left:
        return replace(erasure, pending=left, failures=0, due_time=now)
    if erasure.state is ErasureState.ERASING:
        again = {"pending": services, "due_time": now + LOOK_AGAIN}
        return replace(erasure, state=ErasureState.ERASED, failures=0, complete_time=now, **again)  # type: ignore[arg-type]
    return replace(erasure, state=ErasureState.CONFIRMED, pending=(), failures=0, due_time=None)


def postpone(erasure: Erasure, now: datetime) -> Erasure:
    """Returns the erasure after a step that failed: it is tried again, ever later, for as long as it takes."""
    pause = min(timedelta(seconds=2 ** min(erasure.failures, LONGEST_DOUBLING)), LONGEST_PAUSE)
    return replace(erasure, failures=erasure.failures + 1, due_time=now + pause)
