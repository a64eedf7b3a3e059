"""Trying a provider again, only before the first token, which has one bound of time over all attempts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from chat.errors import ProviderRateLimited, ProviderUnavailable
from chat.model import Prompt, ProviderPart
from chat.ports import AnswerProvider
from chat.providers.failures import ASKED_SECONDS
from servicekit.errors import AppError
from servicekit.retrying import RetryPolicy
from servicekit.telemetry import get_logger

Sleep = Callable[[float], Awaitable[None]]


class RetryingProvider:
    """Puts the policy around a provider."""

    def __init__(
        self,
        provider: AnswerProvider,
        policy: RetryPolicy,
        *,
        first_token_seconds: float = 30,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._first_token_seconds = first_token_seconds
        self._sleep = sleep

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
        deadline = asyncio.get_running_loop().time() + self._first_token_seconds
        for attempt in range(1, self._policy.attempts + 1):
            has_begun = False
            try:
                async with aclosing(self._provider.stream(prompt)) as parts:
                    first = await first_of(parts, deadline)
                    has_begun = True
                    yield first
                    async for part in parts:
                        yield part
            except (ProviderUnavailable, ProviderRateLimited) as error:
                wait = self._policy.choose_wait(attempt, asked_seconds(error))
                if has_begun or wait is None or asyncio.get_running_loop().time() + wait >= deadline:
                    raise
                get_logger("provider").warning("attempt failed", reason=error.reason, attempt=attempt, wait=wait)
            else:
                return
            await self._sleep(wait)

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()


async def first_of(parts: AsyncGenerator[ProviderPart, None], deadline: float) -> ProviderPart:
    """Returns the first part. Raises ProviderUnavailable where there is none by the deadline, and what it raises."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(parts)
    except (TimeoutError, StopAsyncIteration) as error:
        raise ProviderUnavailable from error


def asked_seconds(error: AppError) -> float:
    """Returns how long the provider asked to wait; 0 if it did not."""
    return float(error.metadata.get(ASKED_SECONDS, 0))
