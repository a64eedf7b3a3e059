"""The one retry policy: only before the first token, three attempts at most, full jitter, Retry-After honoured."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from chat.errors import ProviderRateLimited, ProviderUnavailable
from chat.model import Prompt, ProviderPart
from chat.ports import AnswerProvider
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how far apart to try (full jitter, after Brooker, AWS Architecture Blog, 2015)."""

    attempts: int = 3
    base_seconds: float = 0.3
    cap_seconds: float = 4.0
    longest_wait_seconds: float = 8.0  # a provider that asks for more gets no second attempt


class RetryingProvider:
    """Puts the policy around a provider."""

    def __init__(
        self, provider: AnswerProvider, policy: RetryPolicy, *, sleep: Sleep = asyncio.sleep, seed: int | None = None
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._sleep = sleep
        self._random = random.Random(seed)  # noqa: S311 - spreads load, hides nothing

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The provider's model."""
        return self._provider.model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderPart, None]:
        """Yields the parts of the first attempt that begins to answer; raises what the last one raised."""
        for attempt in range(1, self._policy.attempts + 1):
            has_begun = False
            try:
                async with aclosing(self._provider.stream(prompt)) as parts:
                    async for part in parts:
                        has_begun = True
                        yield part
            except (ProviderUnavailable, ProviderRateLimited) as error:
                wait = self._wait_seconds(attempt, error)
                if has_begun or attempt == self._policy.attempts or wait > self._policy.longest_wait_seconds:
                    raise
                get_logger("provider").warning("attempt failed", reason=error.reason, attempt=attempt, wait=wait)
            else:
                return
            await self._sleep(wait)

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()

    def _wait_seconds(self, attempt: int, error: AppError) -> float:
        jittered = self._random.uniform(0, min(self._policy.cap_seconds, self._policy.base_seconds * 2**attempt))
        asked = error.metadata.get("retry_after_seconds")
        return float(asked) if asked else jittered
