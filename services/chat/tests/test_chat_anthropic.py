import json

import pytest

from chat.errors import ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.model import FinishReason, ProviderText, Usage


async def read_script(anthropic_stub, prompt, script):
    async with anthropic_stub.run_stub(script) as stub, anthropic_stub.provider_of(stub) as provider:
        return await anthropic_stub.read(provider, prompt)


async def test_the_request_carries_instructions_messages_and_bounds(anthropic_stub, prompt):
    async with anthropic_stub.run_stub(anthropic_stub.Stream()) as stub, anthropic_stub.provider_of(stub) as provider:
        await anthropic_stub.read(provider, prompt)
    sent = stub.requests[0]
    assert sent["system"] == prompt.instructions
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][-1]["content"] == prompt.request
    assert (sent["model"], sent["stream"], sent["max_tokens"]) == ("some-model-1", True, 1024)
    assert "temperature" not in sent
    assert "anthropic-version: 20" in stub.headers[0]


def frame(kind, **data):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def delta(**fields):
    return frame("content_block_delta", index=0, delta=fields)


async def test_what_is_no_text_is_not_shown(anthropic_stub, prompt):
    thinking = (
        delta(type="thinking_delta", thinking="hm"),
        delta(type="signature_delta", signature="s"),
        frame("a_new_kind"),
    )
    parts = await read_script(anthropic_stub, prompt, anthropic_stub.Stream(("Yes.",), raw=thinking))
    assert [part for part in parts if isinstance(part, ProviderText)] == [ProviderText("Yes.")]


async def test_output_tokens_are_cumulative_and_late_input_tokens_win(anthropic_stub, prompt):
    early = frame("message_delta", delta={"stop_reason": None}, usage={"input_tokens": 30, "output_tokens": 3})
    parts = await read_script(anthropic_stub, prompt, anthropic_stub.Stream(("x",), raw=(early,)))
    assert parts[-1].usage == Usage(30, 7, reported_by_provider=True)


async def test_a_full_context_ends_the_answer_at_its_length(anthropic_stub, prompt):
    script = anthropic_stub.Stream(("x",), "model_context_window_exceeded")
    assert (await read_script(anthropic_stub, prompt, script))[-1].reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", ProviderUnavailable),
        ("api_error", ProviderUnavailable),
        ("unheard_of", ProviderUnavailable),
        ("rate_limit_error", ProviderRateLimited),
        ("authentication_error", ProviderMisconfigured),
    ],
)
async def test_an_error_event_is_what_its_type_says(anthropic_stub, prompt, kind, error):
    raw = frame("error", error={"type": kind, "message": "SECRET-BODY"})
    with pytest.raises(error) as raised:
        await read_script(anthropic_stub, prompt, anthropic_stub.Stream(raw=(raw,), end="cut"))
    assert "SECRET-BODY" not in raised.value.message


async def test_a_prompt_that_is_too_long_is_told_apart(anthropic_stub, prompt):
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": TOO_LONG}})
    with pytest.raises(ContextTooLong):
        await read_script(anthropic_stub, prompt, anthropic_stub.Refusal(400, body))


TOO_LONG = "prompt is too long: 208656 tokens > 200000 maximum"


@pytest.mark.parametrize(
    "raw",
    [
        delta(type="text_delta", text=5),
        delta(type="text_delta"),
        frame("content_block_delta", delta=None),
        frame("message_start", message=None),
        frame("message_delta", delta={"stop_reason": "end_turn"}, usage=None),
        frame("message_delta", delta=7, usage={"output_tokens": 7}),
        frame("error", error=None),
        b"event: error\ndata: no json\n\n",
    ],
)
async def test_an_event_of_another_shape_is_unavailable(anthropic_stub, prompt, raw):
    with pytest.raises(ProviderUnavailable):
        await read_script(anthropic_stub, prompt, anthropic_stub.Stream(("x",), raw=(raw,)))
