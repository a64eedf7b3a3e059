"""Answers from any server that speaks OpenAI's chat completions."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from openai import AsyncOpenAI, AsyncStream
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import SecretStr

from chat.errors import ContentFiltered, ProviderMisconfigured, ProviderUnavailable
from chat.model import FinishReason, Prompt, ProviderFinish, ProviderPart, ProviderText, Usage
from chat.providers.bound_response import open_client
from chat.providers.openai_errors import translate_errors

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
NO_KEY = "none"  # servers on one's own machine want a key and read none
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
FINISH = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


@dataclass(frozen=True)
class OpenAiOptions:
    """Where and how to ask."""

    model: str
    base_url: str
    api_key: SecretStr = field(default=SecretStr(""))
    temperature: float | None = 0.0
    max_output_tokens: int = 1024
    silence_seconds: float = 30  # before the first byte, and between any two


class OpenAiProvider:
    """One request, one stream; trying again is RetryingProvider's business."""

    name = "openai"

    def __init__(self, options: OpenAiOptions) -> None:
        if not MODEL_NAME.fullmatch(options.model):
            raise ProviderMisconfigured
        self._options = options
        self._http = open_client(limit_bytes=MAX_RESPONSE_BYTES, silence_seconds=options.silence_seconds)
        self._client = AsyncOpenAI(
            api_key=options.api_key.get_secret_value() or NO_KEY,
            base_url=options.base_url,
            max_retries=0,
            timeout=options.silence_seconds,
            http_client=self._http,
        )

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._options.model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderPart, None]:
        """Yields text as it comes, and the end with the tokens the provider reports."""
        with translate_errors():
            chunks = await self._open(prompt)
        reason, usage = "", None
        try:
            while (chunk := await self._next_chunk(chunks)) is not None:
                text, chunk_reason, chunk_usage = read_chunk(chunk)
                reason, usage = chunk_reason or reason, chunk_usage or usage
                if text:
                    yield ProviderText(text)
        finally:
            await chunks.close()
        yield ProviderFinish(read_finish(reason), usage)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _open(self, prompt: Prompt) -> AsyncStream[ChatCompletionChunk]:
        # OpenAI's newer models refuse max_tokens; most compatible servers know nothing else.
        is_openai = self._client.base_url.host.endswith("openai.com")
        limit_name = "max_completion_tokens" if is_openai else "max_tokens"
        body: dict[str, float | int] = {limit_name: self._options.max_output_tokens}
        if self._options.temperature is not None:
            body["temperature"] = self._options.temperature
        return await self._client.chat.completions.create(
            model=self._options.model,
            messages=build_messages(prompt),
            stream=True,
            stream_options={"include_usage": True},
            extra_body=body,
        )

    async def _next_chunk(self, chunks: AsyncStream[ChatCompletionChunk]) -> ChatCompletionChunk | None:
        with translate_errors():
            try:
                async with asyncio.timeout(self._options.silence_seconds):
                    return await anext(chunks)
            except StopAsyncIteration:
                return None
            except TimeoutError as error:
                # Comment lines keep a connection from being silent, and are no answer.
                raise ProviderUnavailable from error


def build_messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    """Returns instructions, earlier turns and the request as chat messages."""
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt.instructions}]
    for exchange in prompt.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": prompt.request}]


def read_chunk(chunk: ChatCompletionChunk) -> tuple[str, str, Usage | None]:
    """Returns text, finish reason and usage of a chunk; the one with the usage has no choices."""
    with translate_errors():
        text, reason = "", ""
        for choice in chunk.choices[:1]:
            text, reason = choice.delta.content or "", choice.finish_reason or ""
        if not isinstance(text, str):
            raise ProviderUnavailable
        return text, reason, read_usage(chunk.usage)


def read_usage(usage: CompletionUsage | None) -> Usage | None:
    """Returns the tokens the provider reports."""
    if usage is None:
        return None
    return Usage(int(usage.prompt_tokens), int(usage.completion_tokens), reported_by_provider=True)


def read_finish(reason: str) -> FinishReason:
    """Returns why the answer ended. Raises ContentFiltered, and ProviderUnavailable for a stream that broke off."""
    if reason == "content_filter":
        raise ContentFiltered
    if not reason:
        raise ProviderUnavailable
    return FINISH.get(reason, FinishReason.STOP)
