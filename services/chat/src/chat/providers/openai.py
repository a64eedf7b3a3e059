"""Answers from any server that speaks OpenAI's chat completions.

The SDK asks and says what a failure is. Its chunks are read as JSON: the objects that it makes of them took a sixth
of the processor time of an answer.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, ClassVar

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from chat.errors import ContentFiltered, ContextTooLong, ProviderMisconfigured, ProviderUnavailable
from chat.model import FinishReason, Prompt
from chat.providers.failures import read_status, translate_errors
from chat.providers.hosted import Chunks, HostedProvider, Piece
from chat.providers.options import ProviderOptions
from chat.providers.server_events import ServerEvents
from servicekit.errors import AppError
from servicekit.hosted import read_asked_seconds

NO_KEY = "none"  # servers on one's own machine want a key and read none
TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
DONE = b"[DONE]"


class OpenAiProvider(HostedProvider[bytes]):
    """Asks chat completions; a temperature of None is left out, for models that refuse it."""

    name = "openai"
    finishes: ClassVar = {"length": FinishReason.LENGTH}
    filters = frozenset({"content_filter"})

    def __init__(self, options: ProviderOptions, *, temperature: float | None = 0.0) -> None:
        super().__init__(options)
        self._temperature = temperature
        self._client = AsyncOpenAI(
            api_key=options.api_key.get_secret_value() or NO_KEY,
            base_url=options.base_url or "https://api.openai.com/v1",
            max_retries=0,
            timeout=options.silence_seconds,
            http_client=self._http,
        )

    @asynccontextmanager
    async def _open(self, prompt: Prompt) -> AsyncIterator[Chunks[bytes]]:
        # OpenAI's newer models refuse max_tokens; most compatible servers know nothing else.
        is_openai = self._client.base_url.host.endswith("openai.com")
        limit_name = "max_completion_tokens" if is_openai else "max_tokens"
        body: dict[str, float | int] = {limit_name: self._options.max_output_tokens}
        if self._temperature is not None:
            body["temperature"] = self._temperature
        asking = self._client.chat.completions.with_streaming_response.create(
            model=self._options.model,
            messages=build_messages(prompt),
            stream=True,
            stream_options={"include_usage": True},
            extra_body=body,
        )
        async with asking as response:
            events = ServerEvents(response.http_response.aiter_raw(), last=DONE)
            yield events
            await events.drain()

    def _read(self, chunk: bytes) -> Piece:
        said = json.loads(chunk.decode())
        if error := said.get("error"):
            raise read_code(error.get("code")) or ProviderUnavailable()
        # The chunk with the usage has no choices.
        text, finish = "", ""
        for choice in said["choices"][:1]:
            text, finish = choice["delta"].get("content") or "", choice.get("finish_reason") or ""
        usage = said.get("usage")
        if usage is None:
            return Piece(text, finish)
        return Piece(text, finish, int(usage["prompt_tokens"]), int(usage["completion_tokens"]))

    def _translated_errors(self) -> AbstractContextManager[None]:
        return translate_errors(openai.OpenAIError, read_error)


def build_messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    """Returns instructions, earlier turns and the request as chat messages."""
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt.instructions}]
    for exchange in prompt.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": prompt.request}]


def read_code(code: Any) -> AppError | None:  # noqa: ANN401 - of a JSON body, as it came
    """Returns what the code of an error means, where it says more than the status."""
    if code in TOO_LONG_CODES:
        return ContextTooLong()
    if code in FILTER_CODES:
        return ContentFiltered()
    return ProviderMisconfigured() if code == "insufficient_quota" else None


def read_error(error: openai.OpenAIError) -> AppError:
    """Returns what an error means: the code in the body, or else the status."""
    meant = read_code(error.code) if isinstance(error, openai.APIError) else None
    if meant:
        return meant
    if isinstance(error, openai.APIStatusError):
        return read_status(error.status_code, read_asked_seconds(error.response.headers))
    return ProviderUnavailable()
