import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chat.errors import ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.model import ProviderText
from chat.providers.observed import ObservedProvider
from chat.providers.retry import RetryingProvider, RetryPolicy


class Waits(list):
    async def __call__(self, seconds):
        self.append(seconds)


async def read_retrying(openai_stub, prompt, *script, **policy):
    waits = Waits()
    async with openai_stub.run_stub(*script) as stub, openai_stub.provider_of(stub) as provider:
        retrying = RetryingProvider(provider, RetryPolicy(**policy), sleep=waits, seed=1)
        try:
            return await openai_stub.read(retrying, prompt), waits, stub
        except (ProviderUnavailable, ProviderRateLimited, ProviderMisconfigured) as error:
            return error, waits, stub


async def test_an_attempt_that_fails_before_the_first_token_is_repeated(openai_stub, prompt):
    script = [openai_stub.Refusal(500), openai_stub.Refusal(503), openai_stub.Stream(("ok",))]
    parts, waits, stub = await read_retrying(openai_stub, prompt, *script)
    assert parts[0] == ProviderText("ok")
    assert len(stub.requests) == 3
    assert all(0 <= wait <= 4 for wait in waits)


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
def spans(monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
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


async def test_a_span_of_a_failure_tells_its_reason(openai_stub, prompt, spans):
    async with openai_stub.run_stub(openai_stub.Refusal(401)) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderMisconfigured):
            await openai_stub.read(ObservedProvider(provider), prompt)
    assert spans.get_finished_spans()[0].attributes["error.type"] == "PROVIDER_MISCONFIGURED"
