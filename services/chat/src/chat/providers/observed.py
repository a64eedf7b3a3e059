"""Spans and metrics of provider calls, in OpenTelemetry's GenAI names; prompts and answers stay out of them."""

import asyncio
from collections.abc import Mapping

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from chat.model import Prompt, ProviderFinish
from chat.ports import AnswerProvider, AnswerSink
from servicekit.errors import AppError

# The conventions' own names of those whose name here is another.
TELEMETRY_NAMES = {"gemini": "gcp.gemini"}
# Bounds as the conventions ask for them: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
TOKEN_BOUNDS = tuple(4**power for power in range(14))
SECOND_BOUNDS = tuple(0.01 * 2**power for power in range(14))
FIRST_CHUNK_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30)

Attributes = Mapping[str, str]


class ProviderMeters:
    """The histograms of provider calls; OpenTelemetry hands out the same ones whoever asks."""

    def __init__(self) -> None:
        meter = metrics.get_meter("docuchat")
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens that a provider reported.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="How long a provider took.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="How long a provider took until its first part.",
            explicit_bucket_boundaries_advisory=FIRST_CHUNK_BOUNDS,
        )

    def record_first_chunk(self, seconds: float, attributes: Attributes) -> None:
        """Records the wait for the first part of an answer."""
        self._first_chunk.record(seconds, attributes)

    def record_end(self, seconds: float, finish: ProviderFinish | None, attributes: Attributes) -> None:
        """Records a call that is over; finish is None unless the answer came to its end."""
        self._duration.record(seconds, attributes)
        if finish and finish.usage:
            self._tokens.record(finish.usage.input_tokens, {**attributes, "gen_ai.token.type": "input"})
            self._tokens.record(finish.usage.output_tokens, {**attributes, "gen_ai.token.type": "output"})


class ObservedProvider:
    """Puts one span, and one record in each histogram, around each answer of a provider."""

    def __init__(self, provider: AnswerProvider) -> None:
        self._provider = provider
        self._meters = ProviderMeters()

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
        """Has the provider write."""
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": TELEMETRY_NAMES.get(self.name, self.name),
            "gen_ai.request.model": self.model,
        }
        tracer = trace.get_tracer("docuchat")
        clock = asyncio.get_running_loop().time
        began, finish = clock(), None
        with tracer.start_as_current_span(
            f"chat {self.model}",
            kind=SpanKind.CLIENT,
            attributes={**attributes, "gen_ai.request.stream": True},
            record_exception=False,  # its text may quote what the provider said
            set_status_on_exception=False,
        ) as span:
            try:
                finish = await self._provider.write(prompt, sink)
            except AppError as error:
                attributes["error.type"] = error.reason
                span.set_attribute("error.type", error.reason)
                span.set_status(Status(StatusCode.ERROR, error.reason))
                raise
            finally:
                if sink.first_time is not None:
                    self._meters.record_first_chunk(sink.first_time - began, attributes)
                self._meters.record_end(clock() - began, finish, attributes)
                note_finish(span, finish)
        return finish

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()


def note_finish(span: Span, finish: ProviderFinish | None) -> None:
    """Writes how an answer ended, and what it cost, to its span."""
    if finish is None:
        return
    span.set_attribute("gen_ai.response.finish_reasons", [finish.reason.value.lower()])
    if finish.usage:
        span.set_attribute("gen_ai.usage.input_tokens", finish.usage.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", finish.usage.output_tokens)
