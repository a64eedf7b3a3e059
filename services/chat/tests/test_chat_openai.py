import json

import pytest

from chat.errors import ContentFiltered, ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.model import FinishReason, ProviderFinish


async def test_the_request_carries_messages_key_and_bounds(openai_stub, prompt):
    async with openai_stub.run_stub(openai_stub.Stream()) as stub, openai_stub.provider_of(stub) as provider:
        await openai_stub.read(provider, prompt)
    sent = stub.requests[0]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][-1]["content"] == prompt.request
    assert (sent["model"], sent["stream"], sent["max_tokens"], sent["temperature"]) == ("some-model-1", True, 1024, 0.0)
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
    script = openai_stub.Stream(("x",), "length", reports_usage=False)
    async with openai_stub.run_stub(script) as stub, openai_stub.provider_of(stub) as provider:
        assert (await openai_stub.read(provider, prompt))[-1] == ProviderFinish(FinishReason.LENGTH, None)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "model_not_found", ProviderMisconfigured),
        (400, "unsupported_parameter", ProviderMisconfigured),
        (400, "context_length_exceeded", ContextTooLong),
        (400, "content_filter", ContentFiltered),
        (429, "rate_limit_exceeded", ProviderRateLimited),
        (429, "insufficient_quota", ProviderMisconfigured),
    ],
)
async def test_the_code_in_the_body_says_more_than_the_status(openai_stub, prompt, status, code, error):
    refusal = openai_stub.Refusal(status, json.dumps({"error": {"message": "SECRET-BODY", "code": code}}))
    async with openai_stub.run_stub(refusal) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(error):
            await openai_stub.read(provider, prompt)


@pytest.mark.parametrize(
    "chunk",
    [
        b'{"choices": 5}',
        b'{"choices": [{"delta": null}]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [], "usage": {"prompt_tokens": "many"}}',
    ],
)
async def test_a_chunk_of_another_shape_is_unavailable(openai_stub, prompt, chunk):
    script = openai_stub.Stream(raw=(b"data: " + chunk + b"\n\n",))
    async with openai_stub.run_stub(script) as stub, openai_stub.provider_of(stub) as provider:
        with pytest.raises(ProviderUnavailable):
            await openai_stub.read(provider, prompt)
