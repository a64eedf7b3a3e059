"""reserve: tokens are set aside before a model is called, so that no answer goes beyond its tenant's plan."""

import math
import uuid
from dataclasses import dataclass

from chat.model import Owner, Prompt
from chat.ports import Meter
from servicekit.errors import AppError

QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
# Longer than any answer may take.
HOLD_SECONDS = 1800
# The least that an answer is begun for: a question with one short passage, and two sentences.
LEAST_TOKENS = 500
# Providers count by vocabularies of their own.
MARGIN = 1.25


@dataclass(frozen=True)
class Reservation:
    """Tokens set aside for one answer; `is_ample` where any prompt fits."""

    usage_id: str
    is_ample: bool


@dataclass(frozen=True)
class TokenReserve:
    """Sets aside what an answer may take at the most, while its search runs; near the plan's end, what it does take."""

    meter: Meter
    prompt_tokens: int
    output_tokens: int

    async def open(self, owner: Owner) -> Reservation:
        """Sets tokens aside for an answer whose prompt is not known yet. Raises AppError QUOTA_EXCEEDED."""
        usage_id, most = str(uuid.uuid4()), self.prompt_tokens + self.output_tokens
        try:
            await self._reserve(owner, usage_id, most)
        except AppError as error:
            if error.reason != QUOTA_EXCEEDED or most <= LEAST_TOKENS:
                raise
            await self._reserve(owner, usage_id, LEAST_TOKENS)
            return Reservation(usage_id, is_ample=False)
        return Reservation(usage_id, is_ample=True)

    async def fit(self, reservation: Reservation, owner: Owner, prompt: Prompt) -> None:
        """Makes a reservation that is not ample as large as its prompt needs. Raises AppError QUOTA_EXCEEDED."""
        if not reservation.is_ample:
            needed = math.ceil(prompt.input_tokens * MARGIN) + self.output_tokens
            await self._reserve(owner, reservation.usage_id, needed)

    async def _reserve(self, owner: Owner, usage_id: str, tokens: int) -> None:
        await self.meter.reserve(owner.tenant_id, usage_id, tokens, HOLD_SECONDS)
