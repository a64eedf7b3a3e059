"""An embeddings server that speaks OpenAI's API: every word falls into one of 256 places of a vector."""

import asyncio
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

LENGTH = 256
REQUEST_SECONDS = 30.0


@contextmanager
def embeddings_stub() -> Iterator[str]:
    """Serves on loopback until the block ends; yields the base URL."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ports, over = list[int](), asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{ports[0]}/v1"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(line for line in head.splitlines() if line.startswith("content-length:"))
            texts = json.loads(await reader.readexactly(int(length.partition(":")[2])))["input"]
        rows = [
            {"object": "embedding", "index": number, "embedding": _embed(text)} for number, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        body = json.dumps({"object": "list", "model": "words", "data": rows, "usage": usage}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
        await writer.drain()
    finally:
        writer.close()


def _embed(text: str) -> list[float]:
    vector = [0.001] * LENGTH
    for word in text.lower().split():
        vector[crc32(word.encode()) % LENGTH] += 1.0
    size = math.hypot(*vector)
    return [part / size for part in vector]
