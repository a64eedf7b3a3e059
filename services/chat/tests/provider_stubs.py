"""Local servers that speak the wire formats of the providers, faults included."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from chat.providers.anthropic import AnthropicProvider
from chat.providers.gemini import GeminiProvider
from chat.providers.openai import OpenAiProvider
from chat.providers.options import ProviderOptions


@dataclass
class Refusal:
    """A whole response, such as a 429."""

    status: int
    body: str = "{}"
    headers: dict = field(default_factory=dict)


@dataclass
class Stream:
    """An SSE response; `end` is done, cut (no finish), reset, or hang."""

    texts: tuple = ()
    finish: str = ""  # the provider's word; its word for a good end if empty
    reports_usage: bool = True
    end: str = "done"
    raw: tuple = ()
    pause: float = 0.0


class Sink:
    """Keeps the parts that a provider writes; `begun` is set with the first."""

    def __init__(self):
        self.parts, self.first_time, self.begun = [], None, asyncio.Event()
        self._call = None

    def on_first(self, call):
        self._call = call

    async def put(self, part):
        if self.first_time is None:
            self.first_time = asyncio.get_running_loop().time()
            self.begun.set()
            if self._call:
                self._call()
        self.parts.append(part)

    async def read(self, provider, prompt):
        finish = await provider.write(prompt, self)
        return [*self.parts, finish]


class ProviderStub:
    """Plays its script, one entry a request; the last entry goes on for ever."""

    def __init__(self, dialect, script):
        self.dialect = dialect
        self.script = list(script)
        self.requests = []
        self.headers = []
        self.sent = 0
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()
        self.base_url = ""

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            self.headers.append(head)
            self.requests.append(json.loads(await reader.readexactly(length)))
            act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            play = self.refuse if isinstance(act, Refusal) else self.stream
            watch = asyncio.ensure_future(reader.read())
            work = asyncio.ensure_future(play(act, writer))
            await asyncio.wait([watch, work], return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                self.closed.set()
            for task in (watch, work):
                task.cancel()
            await asyncio.gather(watch, work, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed.set()
        finally:
            writer.close()

    async def refuse(self, act, writer):
        lines = [f"HTTP/1.1 {act.status} X", "content-type: application/json", f"content-length: {len(act.body)}"]
        lines += [f"{key}: {value}" for key, value in act.headers.items()]
        writer.write(("\r\n".join([*lines, "connection: close"]) + "\r\n\r\n" + act.body).encode())
        await writer.drain()

    async def stream(self, act, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write(self.dialect.opening)
        for text in act.texts:
            writer.write(self.dialect.text(text))
            await writer.drain()
            self.sent += 1
            self.begun.set()
            await asyncio.sleep(act.pause)
        for raw in act.raw:
            writer.write(raw)
            await writer.drain()
        if act.end == "hang":
            await asyncio.sleep(60)
        if act.end == "reset":
            writer.transport.abort()
            return
        if act.end == "done":
            writer.write(self.dialect.ending(act.finish or self.dialect.good_end, act.reports_usage))
        await writer.drain()


def event(data, name=""):
    """Returns a server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


class Dialect:
    """How one provider writes; input is 21 tokens, output 7."""

    Stream, Refusal, Sink = Stream, Refusal, Sink
    KEY = "sk-canary-0123456789"
    provider = OpenAiProvider
    name, path, prefix, opening = "openai", "/v1/chat/completions", "/v1", b""
    good_end, long_end, filtered_end = "stop", "length", "content_filter"

    def text(self, text):
        return event(self._chunk({"content": text}))

    def ending(self, finish, reports_usage):
        usage = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}
        last = event({**self._chunk({}), "choices": [], "usage": usage}) if reports_usage else b""
        return event(self._chunk({}, finish)) + last + b"data: [DONE]\n\n"

    def _chunk(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    def error(self, status, message="SECRET-BODY"):
        return json.dumps({"error": {"message": message, "code": "x"}})

    def broken_error(self):
        return event({"error": {"message": "SECRET-BODY"}})

    @asynccontextmanager
    async def run_stub(self, *script):
        stub = ProviderStub(self, script)
        server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, limit=2**20)
        stub.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self.prefix}"
        try:
            yield stub
        finally:
            server.close()

    @asynccontextmanager
    async def provider_of(self, stub, *, silence_seconds=2, **more):
        options = ProviderOptions("some-model-1", stub.base_url, SecretStr(self.KEY), silence_seconds=silence_seconds)
        provider = self.provider(options, **more)
        try:
            yield provider
        finally:
            await provider.close()

    async def read(self, provider, prompt):
        return await Sink().read(provider, prompt)


class AnthropicDialect(Dialect):
    provider = AnthropicProvider
    name, path, prefix = "anthropic", "/v1/messages", ""
    good_end, long_end, filtered_end = "end_turn", "max_tokens", "refusal"

    @property
    def opening(self):
        usage = {"input_tokens": 16, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        start = event({"type": "message_start", "message": message}, "message_start")
        return start + event(block, "content_block_start") + event({"type": "ping"}, "ping")

    def text(self, text):
        delta = {"type": "text_delta", "text": text}
        return event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")

    def ending(self, finish, reports_usage):
        delta = {"type": "message_delta", "delta": {"stop_reason": finish, "stop_sequence": None}}
        delta["usage"] = {"output_tokens": 7}
        return (
            event({"type": "content_block_stop", "index": 0}, "content_block_stop")
            + event(delta, "message_delta")
            + event({"type": "message_stop"}, "message_stop")
        )

    def error(self, status, message="SECRET-BODY"):
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})

    def broken_error(self):
        return event(json.loads(self.error(529)), "error")


class GeminiDialect(Dialect):
    provider = GeminiProvider
    name, path, prefix = "gemini", "/v1/models/some-model-1:streamgeneratecontent?alt=sse", ""
    good_end, long_end, filtered_end = "STOP", "MAX_TOKENS", "SAFETY"

    def text(self, text):
        return event({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}]})

    def ending(self, finish, reports_usage):
        last = {"candidates": [{"content": {"role": "model"}, "finishReason": finish, "index": 0}]}
        if reports_usage:
            usage = {"promptTokenCount": 21, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 28}
            last["usageMetadata"] = usage
        return event({**last, "modelVersion": "m", "responseId": "r"})

    def error(self, status, message="SECRET-BODY"):
        return json.dumps({"error": {"code": status, "message": message, "status": "X"}})

    def broken_error(self):
        return event(json.loads(self.error(503)))
