"""Answers from Anthropic's Messages API."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import ClassVar

import anthropic
from anthropic import AsyncAnthropic
from anthropic.types import MessageDeltaUsage, MessageParam, RawMessageStreamEvent, Usage

from chat.errors import ContextTooLong, ProviderUnavailable
from chat.model import FinishReason, Prompt
from chat.providers.failures import read_status, translate_errors
from chat.providers.hosted import Chunks, HostedProvider, Piece
from chat.providers.options import ProviderOptions
from servicekit.errors import AppError
from servicekit.hosted import read_asked_seconds

# An error within a stream comes with status 200 and says in its type what it is.
STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class AnthropicProvider(HostedProvider[RawMessageStreamEvent]):
    """Asks the Messages API, which takes no temperature any more."""

    name = "anthropic"
    finishes: ClassVar = {"max_tokens": FinishReason.LENGTH, "model_context_window_exceeded": FinishReason.LENGTH}
    filters = frozenset({"refusal"})

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options)
        self._client = AsyncAnthropic(
            api_key=options.api_key.get_secret_value(),
            base_url=options.base_url or "https://api.anthropic.com",
            max_retries=0,
            timeout=options.silence_seconds,
            open_telemetry=False,  # the span around every provider is ours
            http_client=self._http,
        )

    @asynccontextmanager
    async def _open(self, prompt: Prompt) -> AsyncIterator[Chunks[RawMessageStreamEvent]]:
        stream = await self._client.messages.create(
            model=self._options.model,
            max_tokens=self._options.max_output_tokens,
            system=prompt.instructions,
            messages=build_messages(prompt),
            stream=True,
        )
        async with stream as chunks:
            yield chunks

    def _read(self, chunk: RawMessageStreamEvent) -> Piece:
        match chunk.type:
            case "message_start":
                return Piece(input_tokens=count_input(chunk.message.usage))
            case "content_block_delta" if chunk.delta.type == "text_delta":
                return Piece(chunk.delta.text)
            case "message_delta":
                usage = chunk.usage
                counted = None if usage.input_tokens is None else count_input(usage)
                return Piece("", chunk.delta.stop_reason or "", counted, int(usage.output_tokens))
        return Piece()

    def _translated_errors(self) -> AbstractContextManager[None]:
        return translate_errors(anthropic.AnthropicError, read_error)


def count_input(usage: Usage | MessageDeltaUsage) -> int:
    """Returns all tokens of the prompt; those that a cache wrote or read are counted beside input_tokens."""
    cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return int(usage.input_tokens or 0) + cached


def build_messages(prompt: Prompt) -> list[MessageParam]:
    """Returns earlier turns and the request as messages; the instructions travel beside them."""
    messages: list[MessageParam] = []
    for exchange in prompt.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": prompt.request}]


def read_error(error: anthropic.AnthropicError) -> AppError:
    """Returns what an error means: its status, or within a stream its type."""
    if not isinstance(error, anthropic.APIStatusError):
        return ProviderUnavailable()
    # There is no code for it.
    if "prompt is too long" in str(error.api_message):
        return ContextTooLong()
    status = error.status_code if error.status_code != 200 else STATUS_OF_TYPE.get(str(error.type), 500)
    return read_status(status, read_asked_seconds(error.response.headers))
