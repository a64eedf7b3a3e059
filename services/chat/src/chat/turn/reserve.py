"""reserve: tokens are set aside before a model is called, so that no answer goes beyond its tenant's plan."""

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from chat.model import Owner, Prompt
from chat.ports import Meter
from servicekit.errors import AppError

QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
# Longer than any answer may take; after it, what a killed process held goes back.
HOLD_SECONDS = 1200
# The least that an answer is begun for: a question with one short passage, and two sentences.
LEAST_TOKENS = 500
# Answers that one lease is for: asked for each alone, auth would work as long for it as chat.
LEASED_ANSWERS = 8
# Providers count by vocabularies of their own.
MARGIN = 1.25
# How fast what one long prompt needed is forgotten.
DECAY = 0.98


@dataclass(eq=False)
class Lease:
    """Tokens of a tenant that this process has set aside: `held` at auth, of them `left` for answers to come."""

    tenant_id: str
    held: int
    left: int
    settled: int = 0  # of answers that have ended
    is_idle: bool = False  # nobody has drawn since the last round
    usage_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def draw(self, tokens: int) -> bool:
        """Takes tokens for an answer, if there are so many."""
        if self.left < tokens:
            return False
        self.left -= tokens
        self.is_idle = False
        return True


@dataclass
class Reservation:
    """Tokens set aside for one answer, out of one lease or two. Its model's tokens are reported as `usage_id`."""

    usage_id: str
    draws: list[tuple[Lease, int]]

    @property
    def tokens(self) -> int:
        """Returns how many they are."""
        return sum(tokens for _, tokens in self.draws)


class TokenReserve:
    """Sets aside what answers have needed lately while a search runs, and the rest once the prompt is known.

    The tokens come out of leases, renewed by one call for several answers. A
    lease gives back what its answers held once what they used is counted.
    """

    def __init__(self, meter: Meter, output_tokens: int) -> None:
        self._meter = meter
        self._output_tokens = output_tokens
        self._usual = float(LEAST_TOKENS)
        self._current: dict[str, Lease] = {}
        self._leases: set[Lease] = set()
        self._renewals: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def open(self, owner: Owner) -> AsyncIterator[Reservation]:
        """Holds tokens for an answer whose prompt is not known yet. Raises AppError QUOTA_EXCEEDED."""
        reservation = Reservation(str(uuid.uuid4()), [await self._draw_usual(owner.tenant_id)])
        try:
            yield reservation
        finally:
            for lease, tokens in reservation.draws:
                lease.settled += tokens

    async def fit(self, reservation: Reservation, owner: Owner, prompt: Prompt) -> None:
        """Makes a reservation as large as its prompt needs. Raises AppError QUOTA_EXCEEDED."""
        needed = math.ceil(prompt.input_tokens * MARGIN) + self._output_tokens
        self._usual = max(needed, self._usual * DECAY, LEAST_TOKENS)
        more = needed - reservation.tokens
        if more > 0:
            current = self._current.get(owner.tenant_id)
            lease = current if current and current.draw(more) else await self._lease(owner.tenant_id, more, more)
            reservation.draws.append((lease, more))

    def note_ended(self) -> Sequence[tuple[Lease, int]]:
        """Returns what answers hold that have ended by now."""
        return [(lease, lease.settled) for lease in self._leases]

    async def settle(self, ended: Sequence[tuple[Lease, int]]) -> None:
        """Gives back what answers held that had ended, and what nobody draws any more. Raises AppError.

        To be called once what those answers used is counted: between the two nobody else may have these tokens.
        """
        for lease, settled in ended:
            await self._give_back(lease, settled)

    async def _draw_usual(self, tenant_id: str) -> tuple[Lease, int]:
        usual = math.ceil(self._usual)
        current = self._current.get(tenant_id)
        if current and current.draw(usual):
            return current, usual
        # All who find it empty wait for one renewal, and nobody for another tenant's.
        async with self._renewals.setdefault(tenant_id, asyncio.Lock()):
            current = self._current.get(tenant_id)
            if current and current.draw(usual):
                return current, usual
            for tokens, drawn in ((usual * LEASED_ANSWERS, usual), (usual, usual), (LEAST_TOKENS, LEAST_TOKENS)):
                try:
                    self._current[tenant_id] = await self._lease(tenant_id, tokens, drawn)
                except AppError as error:
                    if error.reason != QUOTA_EXCEEDED or tokens <= LEAST_TOKENS:
                        raise
                else:
                    return self._current[tenant_id], drawn
        raise AssertionError("the last try returns or raises")

    async def _lease(self, tenant_id: str, tokens: int, drawn: int) -> Lease:
        lease = Lease(tenant_id, held=tokens, left=tokens - drawn)
        await self._meter.reserve(tenant_id, lease.usage_id, tokens, HOLD_SECONDS)
        self._leases.add(lease)
        return lease

    async def _give_back(self, lease: Lease, settled: int) -> None:
        unused = lease.left if lease.is_idle else 0
        lease.is_idle = True
        if not settled + unused:
            return
        lease.left -= unused
        held = lease.held - settled - unused
        await self._meter.reduce(lease.tenant_id, lease.usage_id, held, HOLD_SECONDS)
        lease.held, lease.settled = held, lease.settled - settled
        if not held:
            self._leases.discard(lease)
            if self._current.get(lease.tenant_id) is lease:
                del self._current[lease.tenant_id]
