import asyncio
import json
import time
from contextlib import aclosing

import pytest
from chat.errors import (
    ContentFiltered,
    ContextTooLong,
    ProviderMisconfigured,
    ProviderRateLimited,
    ProviderUnavailable,
)
from chat.model import FinishReason, ProviderFinish, ProviderText, Usage
from chat.providers.openai import OpenAiOptions, OpenAiProvider
from pydantic import SecretStr


async def test_text_streams_and_the_reported_tokens_are_exact(openai_stub, prompt):
    async with (
        openai_stub.run_stub(openai_stub.Stream(("Ye", "s [1]."))) as stub,
        openai_stub.provider_of(stub) as provider,
    ):
        parts = await openai_stub.read(provider, prompt)
    assert parts == [ProviderText("Ye"), ProviderText("s [1]."), ProviderFinish(FinishReason.STOP, Usage(21, 7, True))]


async def test_the_request_carries_messages_key_and_bounds(openai_stub, prompt):
    async with openai_stub.run_stub(openai_stub.Stream()) as stub, openai_stub.provider_of(stub) as provider:
        await openai_stub.read(provider, prompt)
    sent = stub.requests[0]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][-1]["content"] == prompt.request
    assert (sent["model"], sent["stream"], sent["max_tokens"], sent["temperature"]) == ("some/model-1", True, 1024, 0.0)
    assert sent["stream_options"] == {"include_usage": True}
    assert f"authorization: bearer {openai_stub.KEY}" in stub.headers[0]


async def test_temperature_can_be_left_out(openai_stub, prompt):
    async with (
        openai_stub.run_stub(openai_stub.Stream()) as stub,
        openai_stub.provider_of(stub, temperature=None) as provider,
    ):
        await openai_stub.read(provider, prompt)
    assert "temperature" not in stub.requests[0]


async def test_a_server_that_reports_no_usage_is_fine(openai_stub, prompt):
    async with (
        openai_stub.run_stub(openai_stub.Stream(("x",), "length", None)) as stub,
        openai_stub.provider_of(stub) as provider,
    ):
        assert (await openai_stub.read(provider, prompt))[-1] == ProviderFinish(FinishReason.LENGTH, None)


def body(code):
    return json.dumps({"error": {"message": "SECRET-BODY", "code": code}})


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "x", ProviderMisconfigured),
        (403, "x", ProviderMisconfigured),
        (404, "model_not_found", ProviderMisconfigured),
        (400, "unsupported_parameter", ProviderMisconfigured),
        (400, "context_length_exceeded", ContextTooLong),
        (413, "x", ContextTooLong),
        (400, "content_filter", ContentFiltered),
        (408, "x", ProviderUnavailable),
        (429, "rate_limit_exceeded", ProviderRateLimited),
        (429, "insufficient_quota", ProviderMisconfigured),
        (302, "x", ProviderUnavailable),
        (500, "x", ProviderUnavailable),
        (529, "x", ProviderUnavailable),
    ],
)
async def test_a_status_becomes_a_typed_error_without_the_providers_words(openai_stub, prompt, status, code, error):
    refusal = openai_stub.Refusal(status, body(code), {"location": "http://127.0.0.1:1/"})
    async with openai_stub.run_stub(refusal) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(error) as raised:
            await openai_stub.read(provider, prompt)
    assert "SECRET-BODY" not in f"{raised.value.message}{raised.value.metadata}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "99999999"}, 60),
        ({"retry-after-ms": "1500"}, 1.5),
        ({}, 5),
        ({"retry-after": "nan"}, 5),
        ({"retry-after": "-3"}, 5),
        ({"retry-after": "Wed, 21 Oct"}, 5),
    ],
)
async def test_retry_after_is_read_and_clamped(openai_stub, prompt, headers, seconds):
    refusal = openai_stub.Refusal(429, body("x"), headers)
    async with openai_stub.run_stub(refusal) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderRateLimited) as raised:
            await openai_stub.read(provider, prompt)
    assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "stream",
    [
        {"raw": (b"data: {not json}\n\n",)},
        {"raw": (b"data: [1, 2]\n\n",)},
        {"raw": (b'data: {"choices": 5}\n\n',)},
        {"raw": (b'data: {"choices": [{"delta": null}]}\n\n',)},
        {"raw": (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n',)},
        {"raw": (b'data: {"error": {"message": "SECRET-BODY"}}\n\n',)},
        {"raw": (b"data: \xff\xfe\n\n",)},
        {"texts": ("half",), "end": "cut"},
        {"texts": ("half",), "end": "reset"},
        {"raw": (b"<html>oops</html>",), "end": "cut"},
    ],
)
async def test_what_cannot_be_read_is_unavailable(openai_stub, prompt, stream):
    async with openai_stub.run_stub(openai_stub.Stream(**stream)) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderUnavailable) as raised:
            await openai_stub.read(provider, prompt)
    assert "SECRET-BODY" not in raised.value.message


async def test_a_line_without_end_is_cut_off(openai_stub, prompt):
    endless = openai_stub.Stream(raw=(b"data: " + b"x" * 65536,) * 200)
    async with openai_stub.run_stub(endless) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderUnavailable):
            await openai_stub.read(provider, prompt)


@pytest.mark.parametrize("stream", [{}, {"texts": ("half",)}, {"raw": (b": still here\n\n",)}])
async def test_a_silent_provider_is_given_up(openai_stub, prompt, stream):
    script = openai_stub.Stream(**stream, end="hang")
    async with openai_stub.run_stub(script) as stub, openai_stub.provider_of(stub, silence_seconds=0.3) as provider:
        with pytest.raises(ProviderUnavailable):
            await openai_stub.read(provider, prompt)


async def test_a_filtered_answer_is_an_error(openai_stub, prompt):
    script = openai_stub.Stream(("x",), "content_filter")
    async with openai_stub.run_stub(script) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ContentFiltered):
            await openai_stub.read(provider, prompt)


async def test_no_server_at_all_is_unavailable(openai_stub, prompt):
    async with openai_stub.run_stub(openai_stub.Stream()) as stub:
        pass
    async with openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderUnavailable):
            await openai_stub.read(provider, prompt)


async def test_closing_the_stream_closes_the_connection_within_a_second(openai_stub, prompt):
    script = openai_stub.Stream(("word ",) * 1000, pause=0.02)
    async with openai_stub.run_stub(script) as stub, openai_stub.provider_of(stub) as provider:
        async with aclosing(provider.stream(prompt)) as parts:
            assert await anext(parts) == ProviderText("word ")
        began = time.monotonic()
        await asyncio.wait_for(stub.closed.wait(), 1)
        assert time.monotonic() - began < 1
        assert stub.sent < 100


@pytest.mark.parametrize("model", ["", "a b", "../x?", "x" * 200, "{{x}}"])
def test_a_model_name_must_look_like_one(model):
    with pytest.raises(ProviderMisconfigured):
        OpenAiProvider(OpenAiOptions(model, "http://localhost/v1"))


def test_the_key_is_in_no_representation(openai_stub):
    options = OpenAiOptions("m", "http://localhost/v1", SecretStr(openai_stub.KEY))
    assert openai_stub.KEY not in repr(options)
