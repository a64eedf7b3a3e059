"""generate: the provider writes, within a bound of characters and of its own time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from chat.errors import ProviderUnavailable
from chat.model import FinishReason, Prompt, ProviderFinish, ProviderPart, ProviderText
from chat.ports import AnswerProvider


@dataclass(frozen=True)
class AnswerBounds:
    """What a provider may take at most for an answer; the time that its reader takes does not count."""

    characters: int = 40_000
    seconds: float = 120


async def generate(
    provider: AnswerProvider, prompt: Prompt, bounds: AnswerBounds
) -> AsyncGenerator[ProviderPart, None]:
    """Yields the provider's parts, ProviderFinish last; pulls one at a time, so a slow reader slows the provider.

    Raises the provider's errors, and ProviderUnavailable where time runs out or the stream ends without an end.
    """
    left_characters, left_seconds = bounds.characters, bounds.seconds
    async with aclosing(provider.stream(prompt)) as parts:
        while True:
            began = time.monotonic()
            part = await _next_part(parts, left_seconds)
            left_seconds -= time.monotonic() - began
            if isinstance(part, ProviderText):
                left_characters -= len(part.text)
                part = ProviderText(part.text[: len(part.text) + min(left_characters, 0)])
            yield part
            if isinstance(part, ProviderFinish):
                return
            if left_characters < 0:
                yield ProviderFinish(FinishReason.LENGTH)
                return


async def _next_part(parts: AsyncGenerator[ProviderPart, None], seconds: float) -> ProviderPart:
    try:
        async with asyncio.timeout(seconds):
            return await anext(parts)
    except (TimeoutError, StopAsyncIteration) as error:
        raise ProviderUnavailable from error
