import os
import time
from contextlib import asynccontextmanager

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chat.config import Settings
from chat.errors import ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.model import ProviderText
from chat.providers.choose_provider import choose_provider
from chat.providers.observed import ObservedProvider
from chat.providers.retry import RetryingProvider
from servicekit.retrying import RetryPolicy


@asynccontextmanager
async def closing(provider):
    try:
        yield provider
    finally:
        await provider.close()


class Waits(list):
    async def __call__(self, seconds):
        self.append(seconds)


async def read_retrying(openai_stub, prompt, *script, **policy):
    waits = Waits()
    async with openai_stub.run_stub(*script) as stub, openai_stub.provider_of(stub) as provider:
        retrying = RetryingProvider(provider, RetryPolicy(**policy), sleep=waits)
        try:
            return await openai_stub.read(retrying, prompt), waits, stub
        except (ProviderUnavailable, ProviderRateLimited, ProviderMisconfigured) as error:
            return error, waits, stub


async def test_an_attempt_that_fails_before_the_first_token_is_repeated(openai_stub, prompt):
    script = [openai_stub.Refusal(500), openai_stub.Refusal(503), openai_stub.Stream(("ok",))]
    parts, waits, stub = await read_retrying(openai_stub, prompt, *script)
    assert parts[0] == ProviderText("ok")
    assert len(stub.requests) == 3
    assert [0 <= wait <= 4 for wait in waits] == [True, True]


async def test_there_are_three_attempts_at_most(openai_stub, prompt):
    error, waits, stub = await read_retrying(openai_stub, prompt, openai_stub.Refusal(500))
    assert isinstance(error, ProviderUnavailable)
    assert (len(stub.requests), len(waits)) == (3, 2)


async def test_after_the_first_token_nothing_is_repeated(openai_stub, prompt):
    script = openai_stub.Stream(("half",), end="cut")
    error, _, stub = await read_retrying(openai_stub, prompt, script)
    assert isinstance(error, ProviderUnavailable)
    assert len(stub.requests) == 1


async def test_a_wrong_key_is_not_tried_again(openai_stub, prompt):
    error, _, stub = await read_retrying(openai_stub, prompt, openai_stub.Refusal(401))
    assert isinstance(error, ProviderMisconfigured)
    assert len(stub.requests) == 1


async def test_retry_after_is_waited_out_where_it_is_short(openai_stub, prompt):
    script = [openai_stub.Refusal(429, headers={"retry-after": "2"}), openai_stub.Stream(("ok",))]
    _, waits, _ = await read_retrying(openai_stub, prompt, *script)
    assert waits == [2.0]


async def test_a_provider_that_wants_a_long_rest_gets_no_second_attempt(openai_stub, prompt):
    error, waits, stub = await read_retrying(
        openai_stub, prompt, openai_stub.Refusal(429, headers={"retry-after": "40"})
    )
    assert (error.retry_after_seconds, waits, len(stub.requests)) == (40, [], 1)


@pytest.fixture
def hasty(monkeypatch):
    """Returns a function that gives the provider of a stub as the service makes it, with a bound of half a second."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "DOCUCHAT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", "postgresql+asyncpg://u:p@127.0.0.1:1/db")
    monkeypatch.setenv("DOCUCHAT_PROVIDER_SILENCE_SECONDS", "0.5")

    def make(stub):
        monkeypatch.setenv("OPENAI_BASE_URL", stub.base_url)
        return choose_provider(Settings())

    return make


@pytest.mark.parametrize("refusals", [0, 1])
async def test_all_attempts_together_have_one_bound_before_the_first_token(openai_stub, prompt, hasty, refusals):
    script = [openai_stub.Refusal(503)] * refusals + [openai_stub.Stream(end="hang")]
    async with openai_stub.run_stub(*script) as stub, closing(hasty(stub)) as provider:
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            await openai_stub.read(provider, prompt)
        assert len(stub.requests) <= 1 + refusals
        assert time.monotonic() - began < 1.4


async def test_a_provider_that_has_begun_may_take_longer_than_the_first_token(openai_stub, prompt, hasty):
    script = openai_stub.Stream(("one ", "two ", "three ", "four"), pause=0.2)
    async with openai_stub.run_stub(script) as stub, closing(hasty(stub)) as provider:
        parts = await openai_stub.read(provider, prompt)
    assert [part.text for part in parts[:-1]] == ["one ", "two ", "three ", "four"]


@pytest.fixture
def spans(monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name, *_, **__: provider.get_tracer(name))
    return exporter


async def test_a_span_tells_model_and_tokens_and_no_content(openai_stub, prompt, spans):
    async with (
        openai_stub.run_stub(openai_stub.Stream(("SECRET-ANSWER",))) as stub,
        openai_stub.provider_of(stub) as provider,
    ):
        await openai_stub.read(ObservedProvider(provider), prompt)
    (span,) = spans.get_finished_spans()
    assert span.name == "chat some-model-1"
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "some-model-1",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 21,
        "gen_ai.usage.output_tokens": 7,
    }


@pytest.fixture
def read_metrics(monkeypatch):
    """Returns a function that gives what each histogram holds: (attributes, count, sum)."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)

    def read():
        (resource,) = reader.get_metrics_data().resource_metrics
        (scope,) = resource.scope_metrics
        return {
            metric.name: [(dict(point.attributes), point.count, point.sum) for point in metric.data.data_points]
            for metric in scope.metrics
        }

    yield read
    provider.shutdown()


async def read_observed(dialect, prompt, script):
    async with dialect.run_stub(script) as stub, dialect.provider_of(stub) as provider:
        return await dialect.read(ObservedProvider(provider), prompt)


async def test_metrics_tell_tokens_duration_and_the_first_chunk(dialect, prompt, read_metrics):
    await read_observed(dialect, prompt, dialect.Stream(("one ", "two"), pause=0.05))
    found = read_metrics()
    name = {"gemini": "gcp.gemini"}.get(dialect.name, dialect.name)
    base = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": name,
        "gen_ai.request.model": "some-model-1",
    }
    tokens = [({**base, "gen_ai.token.type": kind}, 1, count) for kind, count in (("input", 21), ("output", 7))]
    assert found["gen_ai.client.token.usage"] == tokens
    ((attributes, count, seconds),) = found["gen_ai.client.operation.duration"]
    ((_, _, first_seconds),) = found["gen_ai.client.operation.time_to_first_chunk"]
    assert (attributes, count) == (base, 1)
    assert 0 < first_seconds <= seconds - 0.05


async def test_a_failure_is_measured_with_its_reason_and_without_tokens(openai_stub, prompt, read_metrics):
    with pytest.raises(ProviderMisconfigured):
        await read_observed(openai_stub, prompt, openai_stub.Refusal(401))
    found = read_metrics()
    ((attributes, count, _),) = found["gen_ai.client.operation.duration"]
    assert (attributes["error.type"], count) == ("PROVIDER_MISCONFIGURED", 1)
    assert set(found) == {"gen_ai.client.operation.duration"}


async def test_anthropics_own_spans_stay_off(anthropic_stub, prompt, spans, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "true")
    await read_observed(anthropic_stub, prompt, anthropic_stub.Stream(("x",)))
    assert [span.name for span in spans.get_finished_spans()] == ["chat some-model-1"]


async def test_a_span_of_a_failure_tells_its_reason(openai_stub, prompt, spans):
    async with openai_stub.run_stub(openai_stub.Refusal(401)) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderMisconfigured):
            await openai_stub.read(ObservedProvider(provider), prompt)
    assert spans.get_finished_spans()[0].attributes["error.type"] == "PROVIDER_MISCONFIGURED"
