"""A model that answers at once, over OpenAI's wire format: `python tests/load/upstream.py PORT`.

Raw asyncio, so that what is measured in front of it is not the stub. Each answer is 22 deltas, two of them markers.
"""

import asyncio
import json
import sys

WORDS = "The keeper of the tower counted ships and storms on every day of the year [1] and went to bed early [2] ."
DELTAS = [f"{word} " for word in WORDS.split()]


def write_chunk(**fields: object) -> bytes:
    """Returns one server-sent event of a streamed chat completion."""
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stub", **fields}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def write_delta(text: str = "", finish: str | None = None) -> bytes:
    """Returns the event of a piece of text, or of the end."""
    return write_chunk(choices=[{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}])


EVENTS = [
    *(write_delta(delta) for delta in DELTAS),
    write_delta(finish="stop"),
    write_chunk(choices=[], usage={"prompt_tokens": 1000, "completion_tokens": 22, "total_tokens": 1022}),
    b"data: [DONE]\n\n",
]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request of a connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(find_length(head))
            writer.write(HEAD)
            for event in EVENTS:
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def find_length(head: bytes) -> int:
    """Returns the content-length of a request head; 0 without one."""
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0]) if lengths else 0


async def serve(port: int) -> None:
    """Serves on the loopback address until the process is ended."""
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
