"""What holds for every provider over HTTP, whatever its wire format."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from chat.errors import (
    ContentFiltered,
    ContextTooLong,
    ProviderMisconfigured,
    ProviderRateLimited,
    ProviderUnavailable,
)
from chat.model import FinishReason, ProviderFinish, ProviderText, Usage
from chat.providers.hosted import Piece
from chat.providers.options import ProviderOptions
from chat.providers.retry import RetryingProvider
from servicekit.retrying import RetryPolicy


async def read_script(dialect, prompt, script, **more):
    async with dialect.run_stub(script) as stub, dialect.provider_of(stub, **more) as provider:
        return await dialect.read(provider, prompt)


async def test_text_streams_and_the_reported_tokens_are_exact(dialect, prompt):
    parts = await read_script(dialect, prompt, dialect.Stream(("Ye", "s [1]. آری")))
    finish = ProviderFinish(FinishReason.STOP, Usage(21, 7, reported_by_provider=True))
    assert parts == [ProviderText("Ye"), ProviderText("s [1]. آری"), finish]


async def test_the_request_goes_to_the_right_place_with_the_key(dialect, prompt):
    async with dialect.run_stub(dialect.Stream()) as stub, dialect.provider_of(stub) as provider:
        await dialect.read(provider, prompt)
    assert stub.headers[0].startswith(f"post {dialect.path} http/1.1")
    assert dialect.KEY in stub.headers[0]
    assert "accept-encoding: identity" in stub.headers[0]


async def test_an_answer_cut_off_at_its_length_says_so(dialect, prompt):
    parts = await read_script(dialect, prompt, dialect.Stream(("x",), dialect.long_end))
    assert parts[-1].reason is FinishReason.LENGTH


async def test_a_filtered_answer_is_an_error(dialect, prompt):
    with pytest.raises(ContentFiltered):
        await read_script(dialect, prompt, dialect.Stream(("x",), dialect.filtered_end))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderMisconfigured),
        (401, ProviderMisconfigured),
        (403, ProviderMisconfigured),
        (404, ProviderMisconfigured),
        (413, ContextTooLong),
        (408, ProviderUnavailable),
        (429, ProviderRateLimited),
        (302, ProviderUnavailable),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (529, ProviderUnavailable),
    ],
)
async def test_a_status_becomes_a_typed_error_without_the_providers_words(dialect, prompt, status, error):
    refusal = dialect.Refusal(status, dialect.error(status), {"location": "http://127.0.0.1:1/"})
    with pytest.raises(error) as raised:
        await read_script(dialect, prompt, refusal)
    assert "SECRET-BODY" not in f"{raised.value.message}{raised.value.metadata}"


@pytest.mark.parametrize("body", ["", "<html>SECRET-BODY</html>", "[]", "null", '"x"', '{"error": 5}', "{"])
async def test_an_error_page_that_is_no_json_is_no_different(dialect, prompt, body):
    with pytest.raises(ProviderUnavailable) as raised:
        await read_script(dialect, prompt, dialect.Refusal(503, body))
    assert "SECRET-BODY" not in raised.value.message


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
async def test_retry_after_is_read_and_clamped(dialect, prompt, headers, seconds):
    with pytest.raises(ProviderRateLimited) as raised:
        await read_script(dialect, prompt, dialect.Refusal(429, dialect.error(429), headers))
    assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_refused_attempt_is_repeated_by_the_one_policy_only(dialect, prompt, status):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    script = [dialect.Refusal(status, dialect.error(status)), dialect.Stream(("ok",))]
    async with dialect.run_stub(*script) as stub, dialect.provider_of(stub) as provider:
        parts = await dialect.read(RetryingProvider(provider, RetryPolicy(), sleep=sleep), prompt)
    assert parts[0] == ProviderText("ok")
    assert (len(stub.requests), len(waits)) == (2, 1)


@pytest.mark.parametrize(
    "stream",
    [
        {"raw": (b"event: message_delta\ndata: {not json}\n\n",)},
        {"raw": (b"event: message_delta\ndata: [1, 2]\n\n",)},
        {"raw": (b"event: message_delta\ndata: null\n\n",)},
        {"raw": (b"event: message_delta\ndata: \xff\xfe\n\n",)},
        {"texts": ("half",), "end": "cut"},
        {"texts": ("half",), "end": "reset"},
        {"raw": (b"<html>oops</html>",), "end": "cut"},
        {"end": "cut"},
    ],
)
async def test_what_cannot_be_read_is_unavailable(dialect, prompt, stream):
    with pytest.raises(ProviderUnavailable):
        await read_script(dialect, prompt, dialect.Stream(**stream))


@pytest.mark.parametrize(("told", "kept"), [(2**40, 2**31 - 1), (-5, 0)])
def test_tokens_that_cannot_be_are_clamped(told, kept):
    assert Piece(input_tokens=told, output_tokens=7).usage == Usage(kept, 7, reported_by_provider=True)


async def test_an_error_within_the_stream_is_unavailable(dialect, prompt):
    with pytest.raises(ProviderUnavailable) as raised:
        await read_script(dialect, prompt, dialect.Stream(("half",), raw=(dialect.broken_error(),)))
    assert "SECRET-BODY" not in raised.value.message


async def test_a_line_without_end_is_cut_off(dialect, prompt):
    with pytest.raises(ProviderUnavailable):
        await read_script(dialect, prompt, dialect.Stream(raw=(b"data: " + b"x" * 65536,) * 200))


@pytest.mark.parametrize("stream", [{}, {"texts": ("half",)}, {"raw": (b": still here\n\n",)}])
async def test_a_silent_provider_is_given_up(dialect, prompt, stream):
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        await read_script(dialect, prompt, dialect.Stream(**stream, end="hang"), silence_seconds=0.3)
    assert time.monotonic() - began < 2


async def test_no_server_at_all_is_unavailable(dialect, prompt):
    async with dialect.run_stub(dialect.Stream()) as stub:
        pass
    async with dialect.provider_of(stub) as provider:
        with pytest.raises(ProviderUnavailable):
            await dialect.read(provider, prompt)


async def test_leaving_a_provider_closes_the_connection_within_a_second(dialect, prompt):
    script = dialect.Stream(("word ",) * 1000, pause=0.02)
    async with dialect.run_stub(script) as stub, dialect.provider_of(stub) as provider:
        sink = dialect.Sink()
        writing = asyncio.ensure_future(provider.write(prompt, sink))
        await sink.begun.wait()
        began = time.monotonic()
        writing.cancel()
        await asyncio.wait_for(stub.closed.wait(), 1)
        assert time.monotonic() - began < 1
        assert stub.sent < 100


async def test_a_reader_that_is_cancelled_closes_the_connection_within_a_second(dialect, prompt):
    script = dialect.Stream(("word ",), end="hang")
    async with dialect.run_stub(script) as stub, dialect.provider_of(stub, silence_seconds=30) as provider:
        reading = asyncio.ensure_future(dialect.read(provider, prompt))
        await stub.begun.wait()
        reading.cancel()
        await asyncio.wait_for(stub.closed.wait(), 1)
        with pytest.raises(asyncio.CancelledError):
            await reading


@pytest.mark.parametrize("model", ["", "a b", "../x?", "a/../b", "x" * 200, "{{x}}"])
def test_a_model_name_must_look_like_one(dialect, model):
    with pytest.raises(ProviderMisconfigured):
        dialect.provider(ProviderOptions(model, "http://localhost/v1", SecretStr("k")))


def test_the_key_is_in_no_representation(dialect):
    options = ProviderOptions("m", "http://localhost/v1", SecretStr(dialect.KEY))
    assert dialect.KEY not in repr(options)


async def test_a_refused_connection_names_the_address_in_the_log_and_no_secret(dialect, prompt):
    # Nobody listens on port 1.
    nowhere = SimpleNamespace(base_url=f"http://user:hunter2@127.0.0.1:1{dialect.prefix}")
    with capture_logs() as lines:
        async with dialect.provider_of(nowhere) as provider:
            with pytest.raises(ProviderUnavailable):
                await dialect.read(provider, prompt)
    (line,) = [line for line in lines if line["event"] == "provider failed"]
    assert line["url"].startswith(f"http://127.0.0.1:1{dialect.path.partition(':')[0]}")
    assert not any(secret in str(line) for secret in ("hunter2", dialect.KEY))
