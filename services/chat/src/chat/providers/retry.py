"""Trying a provider again, only before the first token, which has one bound of time over all attempts."""

import asyncio
from collections.abc import Awaitable, Callable

from chat.errors import ProviderRateLimited, ProviderUnavailable
from chat.model import Prompt, ProviderFinish
from chat.ports import AnswerProvider, AnswerSink
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

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Has the first attempt that begins to answer write; raises what the last one raised."""
        try:
            async with asyncio.timeout(self._first_token_seconds) as bound:
                sink.on_first(lambda: bound.reschedule(None))
                return await self._try(prompt, sink, bound)
        except TimeoutError as error:
            raise ProviderUnavailable from error

    async def _try(self, prompt: Prompt, sink: AnswerSink, bound: asyncio.Timeout, attempt: int = 1) -> ProviderFinish:
        try:
            return await self._provider.write(prompt, sink)
        except (ProviderUnavailable, ProviderRateLimited) as error:
            wait = self._policy.choose_wait(attempt, asked_seconds(error))
            if sink.first_time is not None or wait is None or wait >= seconds_left(bound):
                raise
            get_logger("provider").warning("attempt failed", reason=error.reason, attempt=attempt, wait=wait)
        await self._sleep(wait)
        return await self._try(prompt, sink, bound, attempt + 1)

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()


def seconds_left(bound: asyncio.Timeout) -> float:
    """Returns how long a block may still take."""
    end = bound.when()
    return float("inf") if end is None else end - asyncio.get_running_loop().time()


def asked_seconds(error: AppError) -> float:
    """Returns how long the provider asked to wait; 0 if it did not."""
    return float(error.metadata.get(ASKED_SECONDS, 0))
