"""A local server that speaks the wire format of OpenAI's chat completions, faults included."""

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from chat.providers.openai import OpenAiOptions, OpenAiProvider
from pydantic import SecretStr

KEY = "sk-canary-0123456789"
USAGE = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}


@dataclass
class Refusal:
    """A whole response, such as a 429."""

    status: int
    body: str = "{}"
    headers: dict = field(default_factory=dict)


@dataclass
class Stream:
    """An SSE response; `end` is done, cut (no finish, no [DONE]), reset, or hang."""

    texts: tuple = ()
    finish: str = "stop"
    usage: dict | None = field(default_factory=lambda: dict(USAGE))
    end: str = "done"
    raw: tuple = ()
    pause: float = 0.0


class OpenAiStub:
    """Plays its script, one entry a request; the last entry goes on for ever."""

    def __init__(self, *script):
        self.script = list(script)
        self.requests = []
        self.headers = []
        self.sent = 0
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
        for text in act.texts:
            await self.emit(writer, chunk({"content": text}))
            self.sent += 1
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
            await self.emit(writer, chunk({}, act.finish))
            if act.usage:
                await self.emit(writer, {**chunk({}), "choices": [], "usage": act.usage})
            writer.write(b"data: [DONE]\n\n")
        await writer.drain()

    async def emit(self, writer, data):
        writer.write(f"data: {json.dumps(data)}\n\n".encode())
        await writer.drain()


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


@asynccontextmanager
async def run_stub(*script):
    stub = OpenAiStub(*script)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, limit=2**20)
    stub.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stub
    finally:
        server.close()


@asynccontextmanager
async def provider_of(stub, **more):
    options = OpenAiOptions("some/model-1", stub.base_url, SecretStr(KEY), **{"silence_seconds": 2, **more})
    provider = OpenAiProvider(options)
    try:
        yield provider
    finally:
        await provider.close()


async def read(provider, prompt):
    async with aclosing(provider.stream(prompt)) as parts:
        return [part async for part in parts]
