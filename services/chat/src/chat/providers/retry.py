"""Trying a provider again, only before the first token, which has one bound of time over all attempts."""

import asyncio

from chat.errors import ProviderRateLimited, ProviderUnavailable
from chat.model import Prompt, ProviderFinish
from chat.ports import AnswerProvider, AnswerSink
from chat.providers.failures import ASKED_SECONDS
from servicekit.retrying import RetryPolicy, Sleep, try_again


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

    @property
    def max_output_tokens(self) -> int:
        """The most tokens of an answer."""
        return self._provider.max_output_tokens

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Has the first attempt that begins to answer write; raises what the last one raised."""
        try:
            async with asyncio.timeout(self._first_token_seconds) as bound:
                sink.on_first(lambda: bound.reschedule(None))
                return await try_again(
                    lambda: self._provider.write(prompt, sink),
                    self._policy,
                    bound,
                    lambda error: None if sink.first_time is not None else read_wait(error),
                    self._sleep,
                )
        except TimeoutError as error:
            raise ProviderUnavailable from error

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()


def read_wait(error: Exception) -> float | None:
    """Returns how long the provider asked to wait, 0 if it did not; None where asking again is of no use."""
    if isinstance(error, ProviderUnavailable | ProviderRateLimited):
        return float(error.metadata.get(ASKED_SECONDS, 0))
    return None
