"""Makes the provider that the settings choose."""

from chat.config import Settings
from chat.ports import AnswerProvider
from chat.providers.extractive import ExtractiveProvider
from chat.providers.observed import ObservedProvider
from chat.providers.options import ProviderOptions
from chat.providers.retry import RetryingProvider
from servicekit.retrying import RetryPolicy

# ruff: noqa: PLC0415 - each SDK takes up to seconds and tens of megabytes to import: only the one in use is


def choose_provider(settings: Settings) -> AnswerProvider:
    """Returns the chosen provider, observed and, if it is asked over HTTP, with retries.

    Raises ProviderMisconfigured for a model name that is none.
    """
    if settings.provider_name == "extractive":
        return ObservedProvider(ExtractiveProvider())
    observed = ObservedProvider(open_hosted(settings))
    return RetryingProvider(observed, RetryPolicy(), first_token_seconds=settings.provider_silence_seconds)


def open_hosted(settings: Settings) -> AnswerProvider:
    """Returns the chosen provider among those with an SDK."""
    match settings.provider_name:
        case "anthropic":
            from chat.providers.anthropic import AnthropicProvider

            return AnthropicProvider(options_of(settings))
        case "gemini":
            from chat.providers.gemini import GeminiProvider

            return GeminiProvider(options_of(settings))
        case _:
            from chat.providers.openai import OpenAiProvider

            temperature = None if settings.openai_temperature == "none" else settings.openai_temperature
            return OpenAiProvider(options_of(settings), temperature=temperature)


def options_of(settings: Settings) -> ProviderOptions:
    """Returns where and how to ask the chosen provider."""
    access = settings.access
    return ProviderOptions(
        model=access.model,
        base_url=access.base_url,
        api_key=access.api_key,
        max_output_tokens=settings.max_output_tokens,
        silence_seconds=settings.provider_silence_seconds,
        answer_seconds=settings.answer_seconds,
    )
