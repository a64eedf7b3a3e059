"""generate: the provider writes, within a bound of characters and of time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from chat.errors import ProviderUnavailable
from chat.model import FinishReason, Prompt, ProviderFinish, ProviderPart, ProviderText
from chat.ports import AnswerProvider


@dataclass(frozen=True)
class AnswerBounds:
    """What an answer may take at most."""

    characters: int = 40_000
    seconds: float = 120


async def generate(
    provider: AnswerProvider, prompt: Prompt, bounds: AnswerBounds
) -> AsyncGenerator[ProviderPart, None]:
    """Yields the provider's parts, ProviderFinish last; pulls one at a time, so a slow reader slows the provider.

    Raises the provider's errors, and ProviderUnavailable where time runs out or the stream ends without an end.
    """
    deadline = asyncio.get_running_loop().time() + bounds.seconds
    left = bounds.characters
    async with aclosing(provider.stream(prompt)) as parts:
        while True:
            part = await _next_part(parts, deadline)
            if isinstance(part, ProviderText):
                left -= len(part.text)
                part = ProviderText(part.text[: len(part.text) + min(left, 0)])
            yield part
            if isinstance(part, ProviderFinish):
                return
            if left < 0:
                yield ProviderFinish(FinishReason.LENGTH)
                return


async def _next_part(parts: AsyncGenerator[ProviderPart, None], deadline: float) -> ProviderPart:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(parts)
    except (TimeoutError, StopAsyncIteration) as error:
        raise ProviderUnavailable from error
