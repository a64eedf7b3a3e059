import json

import pytest

from chat.errors import ContentFiltered, ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.model import FinishReason, ProviderText


async def read_script(gemini_stub, prompt, script):
    async with gemini_stub.run_stub(script) as stub, gemini_stub.provider_of(stub) as provider:
        return await gemini_stub.read(provider, prompt)


async def test_the_request_carries_instructions_contents_and_bounds(gemini_stub, prompt):
    async with gemini_stub.run_stub(gemini_stub.Stream()) as stub, gemini_stub.provider_of(stub) as provider:
        await gemini_stub.read(provider, prompt)
    sent = stub.requests[0]
    assert sent["systemInstruction"]["parts"] == [{"text": prompt.instructions}]
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    assert sent["contents"][-1]["parts"] == [{"text": prompt.request}]
    assert sent["generationConfig"] == {"maxOutputTokens": 1024}
    assert "x-server-timeout: 120" in stub.headers[0]
    assert f"x-goog-api-key: {gemini_stub.KEY}" in stub.headers[0]


async def test_no_variable_sends_the_documents_to_another_cloud(gemini_stub, prompt, monkeypatch):
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    parts = await read_script(gemini_stub, prompt, gemini_stub.Stream(("x",)))
    assert parts[0] == ProviderText("x")


def frame(**data):
    return f"data: {json.dumps(data)}\n\n".encode()


def candidate(*parts, **more):
    return frame(candidates=[{"content": {"parts": list(parts), "role": "model"}, **more}])


async def test_a_models_thoughts_are_not_shown(gemini_stub, prompt):
    thought = candidate({"text": "hm", "thought": True}, {"text": "Yes."})
    parts = await read_script(gemini_stub, prompt, gemini_stub.Stream(raw=(thought,)))
    assert parts[0] == ProviderText("Yes.")


@pytest.mark.parametrize("finish", ["PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII"])
async def test_every_filter_is_an_error(gemini_stub, prompt, finish):
    with pytest.raises(ContentFiltered):
        await read_script(gemini_stub, prompt, gemini_stub.Stream(("x",), finish))


async def test_a_prompt_that_is_blocked_is_a_filtered_answer(gemini_stub, prompt):
    blocked = frame(promptFeedback={"blockReason": "SAFETY"}, usageMetadata={"promptTokenCount": 3})
    with pytest.raises(ContentFiltered):
        await read_script(gemini_stub, prompt, gemini_stub.Stream(raw=(blocked,), end="cut"))


async def test_an_answer_that_asks_to_be_continued_is_one_request(gemini_stub, prompt):
    script = gemini_stub.Stream(("x",), "CONTINUATION")
    async with gemini_stub.run_stub(script) as stub, gemini_stub.provider_of(stub) as provider:
        parts = await gemini_stub.read(provider, prompt)
    assert parts[-1].reason is FinishReason.LENGTH
    assert len(stub.requests) == 1


def refusal(gemini_stub, status, message="SECRET-BODY", details=()):
    body = {"error": {"code": status, "message": message, "status": "X", "details": list(details)}}
    return gemini_stub.Refusal(status, json.dumps(body))


@pytest.mark.parametrize(
    ("delay", "seconds"), [("31s", 31), ("0.5s", 0.5), ("9999s", 60), ("soon", 5), ("", 5), (None, 5)]
)
async def test_the_wait_is_read_from_the_body(gemini_stub, prompt, delay, seconds):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    other = {"@type": "type.googleapis.com/google.rpc.Help"}
    with pytest.raises(ProviderRateLimited) as raised:
        await read_script(gemini_stub, prompt, refusal(gemini_stub, 429, details=[other, info]))
    assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("The input token count (3475108) exceeds the maximum number of tokens allowed (1048576).", ContextTooLong),
        ("API key not valid. Please pass a valid API key.", ProviderMisconfigured),
    ],
)
async def test_a_prompt_that_is_too_long_is_told_apart(gemini_stub, prompt, message, error):
    with pytest.raises(error):
        await read_script(gemini_stub, prompt, refusal(gemini_stub, 400, message))


async def test_an_error_within_the_stream_keeps_its_status(gemini_stub, prompt):
    raw = frame(error={"code": 429, "message": "SECRET-BODY", "status": "RESOURCE_EXHAUSTED"})
    with pytest.raises(ProviderRateLimited):
        await read_script(gemini_stub, prompt, gemini_stub.Stream(raw=(raw,), end="cut"))


@pytest.mark.parametrize(
    "raw",
    [
        candidate({"text": 5}),
        candidate({"text": ["x"]}),
        frame(candidates=5),
        frame(candidates=[{"content": 5}]),
        frame(candidates=[{"content": {"parts": "x"}}]),
        frame(usageMetadata={"promptTokenCount": "many"}),
        frame(error=5),
        frame(error={"code": "x", "details": 7}),
    ],
)
async def test_a_chunk_of_another_shape_is_unavailable(gemini_stub, prompt, raw):
    with pytest.raises(ProviderUnavailable):
        await read_script(gemini_stub, prompt, gemini_stub.Stream(("x",), raw=(raw,)))


async def test_an_empty_chunk_says_nothing(gemini_stub, prompt):
    script = gemini_stub.Stream(("x",), raw=(frame(), candidate(), frame(candidates=[])))
    parts = await read_script(gemini_stub, prompt, script)
    assert [type(part) for part in parts].count(ProviderText) == 1
