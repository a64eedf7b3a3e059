"""Answers from Google's Gemini API."""

import math
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any, ClassVar

from google import genai
from google.genai import errors, types

from chat.errors import ContextTooLong
from chat.model import FinishReason, Prompt
from chat.providers.failures import read_status, translate_errors
from chat.providers.held_stream import HeldStream, ResponseHolder
from chat.providers.hosted import Chunks, HostedProvider, Piece
from chat.providers.options import ProviderOptions
from servicekit.errors import AppError
from servicekit.hosted import clamp_wait, read_asked_seconds
from servicekit.retrying import read_retry_after

BLOCKED = "PROMPT_BLOCKED"  # our word for a prompt that was refused: it has no candidate to carry a reason
FILTERS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", BLOCKED)


class GeminiProvider(HostedProvider[types.GenerateContentResponse]):
    """Asks streamGenerateContent, at the temperature that each model is made for."""

    name = "gemini"
    finishes: ClassVar = {"MAX_TOKENS": FinishReason.LENGTH, "CONTINUATION": FinishReason.LENGTH}
    filters = frozenset(FILTERS)

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options)
        self._holder = ResponseHolder()
        self._http.event_hooks["response"].append(self._holder.hold)
        http = types.HttpOptions(
            base_url=options.base_url or "https://generativelanguage.googleapis.com",
            timeout=int(options.silence_seconds * 1000),
            # The SDK would tell the server to end the whole answer after the time that it may be silent.
            headers={"X-Server-Timeout": str(math.ceil(options.answer_seconds))},
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=self._http,
        )
        # vertexai is said so that no variable of the environment sends the documents elsewhere.
        self._client = genai.Client(api_key=options.api_key.get_secret_value(), vertexai=False, http_options=http)

    async def close(self) -> None:
        """Closes the connections."""
        await super().close()
        self._client.close()

    @asynccontextmanager
    async def _open(self, prompt: Prompt) -> AsyncIterator[Chunks[types.GenerateContentResponse]]:
        config = types.GenerateContentConfig(
            system_instruction=prompt.instructions,
            max_output_tokens=self._options.max_output_tokens,
            automatic_continuation=False,
        )
        chunks = await self._client.aio.models.generate_content_stream(
            model=self._options.model, contents=build_contents(prompt), config=config
        )
        async with HeldStream(chunks, self._holder) as held:
            yield held

    def _read(self, chunk: types.GenerateContentResponse) -> Piece:
        candidate = chunk.candidates[0] if chunk.candidates else None
        content = candidate.content if candidate else None
        finish = candidate.finish_reason.value if candidate and candidate.finish_reason else ""
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            finish = BLOCKED
        parts = (content.parts if content else None) or []
        text = "".join(part.text or "" for part in parts if not part.thought)
        return Piece(text, finish, *count_tokens(chunk.usage_metadata))

    def _translated_errors(self) -> AbstractContextManager[None]:
        return translate_errors(errors.APIError, read_error)


def count_tokens(usage: types.GenerateContentResponseUsageMetadata | None) -> tuple[int | None, int | None]:
    """Returns the tokens of prompt and answer; a model's thoughts are billed as answer."""
    if usage is None or usage.prompt_token_count is None:
        return None, None
    return usage.prompt_token_count, (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


def build_contents(prompt: Prompt) -> list[types.ContentUnion]:
    """Returns earlier turns and the request as contents; the instructions travel beside them."""
    contents: list[types.ContentUnion] = []
    for exchange in prompt.history:
        contents.append(build_content("user", exchange.question))
        contents.append(build_content("model", exchange.answer))
    return [*contents, build_content("user", prompt.request)]


def build_content(role: str, text: str) -> types.Content:
    """Returns one turn."""
    return types.Content(role=role, parts=[types.Part(text=text)])


def read_error(error: errors.APIError) -> AppError:
    """Returns what an error means; the wait it asks for stands in its body, if not in a header."""
    # There is no code for it.
    if "input token count" in str(error.message):
        return ContextTooLong()
    status = error.code if isinstance(error.code, int) else 500
    headers = getattr(error.response, "headers", {})
    return read_status(status, read_asked_seconds(headers) or read_retry_info(error.details))


def read_retry_info(body: Any) -> float:  # noqa: ANN401 - a JSON body as it came
    """Returns the seconds that a google.rpc.RetryInfo in an error's body asks to wait, at most 60; 0 without one."""
    with suppress(AttributeError, KeyError, TypeError):  # a body of another shape asks for nothing
        for detail in body["error"]["details"]:
            if str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
                return clamp_wait(read_retry_after(str(detail.get("retryDelay", "")).removesuffix("s")))
    return 0.0
