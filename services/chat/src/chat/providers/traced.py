"""Spans around provider calls, in OpenTelemetry's GenAI names; prompts and answers stay out of them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from servicekit.errors import AppError

from chat.model import Prompt, ProviderFinish, ProviderPart
from chat.ports import AnswerProvider


class TracedProvider:
    """Puts one span around each answer of a provider."""

    def __init__(self, provider: AnswerProvider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The provider's model."""
        return self._provider.model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderPart, None]:
        """Yields the provider's parts."""
        # Not the current span: a generator shares its caller's context and would leave the span behind in it.
        span = trace.get_tracer("docuchat").start_span(
            f"chat {self.model}",
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": self.name,
                "gen_ai.request.model": self.model,
                "gen_ai.request.stream": True,
            },
        )
        try:
            async with aclosing(self._provider.stream(prompt)) as parts:
                async for part in parts:
                    note_part(span, part)
                    yield part
        except AppError as error:
            span.set_attribute("error.type", error.reason)
            span.set_status(Status(StatusCode.ERROR, error.reason))
            raise
        finally:
            span.end()

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()


def note_part(span: Span, part: ProviderPart) -> None:
    """Writes how an answer ended, and what it cost, to its span."""
    if not isinstance(part, ProviderFinish):
        return
    span.set_attribute("gen_ai.response.finish_reasons", [part.reason.value.lower()])
    if part.usage:
        span.set_attribute("gen_ai.usage.input_tokens", part.usage.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", part.usage.output_tokens)
