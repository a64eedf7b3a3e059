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


# How fast what one long prompt needed is forgotten.
DECAY = 0.98


@dataclass(frozen=True)
class Reservation:
    """Tokens set aside for one answer."""

    usage_id: str
    tokens: int


class TokenReserve:
    """Sets aside what answers have needed lately while a search runs, and the rest once the prompt is known.

    Were it always the most that a prompt may have, a plan's last tokens would serve a few answers at once and
    refuse the others.
    """

    def __init__(self, meter: Meter, output_tokens: int) -> None:
        self._meter = meter
        self._output_tokens = output_tokens
        self._usual = float(LEAST_TOKENS)

    async def open(self, owner: Owner) -> Reservation:
        """Sets tokens aside for an answer whose prompt is not known yet. Raises AppError QUOTA_EXCEEDED."""
        usage_id, usual = str(uuid.uuid4()), math.ceil(self._usual)
        try:
            return await self._reserve(owner, usage_id, usual)
        except AppError as error:
            if error.reason != QUOTA_EXCEEDED or usual <= LEAST_TOKENS:
                raise
        return await self._reserve(owner, usage_id, LEAST_TOKENS)

    async def fit(self, reservation: Reservation, owner: Owner, prompt: Prompt) -> None:
        """Makes a reservation as large as its prompt needs. Raises AppError QUOTA_EXCEEDED."""
        needed = math.ceil(prompt.input_tokens * MARGIN) + self._output_tokens
        self._usual = max(needed, self._usual * DECAY, LEAST_TOKENS)
        if needed > reservation.tokens:
            await self._reserve(owner, reservation.usage_id, needed)

    async def _reserve(self, owner: Owner, usage_id: str, tokens: int) -> Reservation:
        await self._meter.reserve(owner.tenant_id, usage_id, tokens, HOLD_SECONDS)
        return Reservation(usage_id, tokens)
