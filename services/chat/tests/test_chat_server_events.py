import pytest

from chat.providers.server_events import ServerEvents

BODY = "data: one\r\n\r\n: a comment\n\nevent: x\nid: 5\ndata:two\ndata: \u2028lines\n\ndata: [DONE]\n\nrest".encode()


async def cut(body, size):
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body, size):
    chunks = cut(body, size)
    events, found = ServerEvents(chunks, last=b"[DONE]"), []
    try:
        while True:
            found.append((await anext(events)).decode())
    except StopAsyncIteration:
        await events.drain()
    return found, [chunk async for chunk in chunks]


@pytest.mark.parametrize("size", range(1, len(BODY) + 1))
async def test_events_are_the_same_wherever_the_body_is_cut(size):
    assert await read(BODY, size) == (["one", "two\n\u2028lines"], [])


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_an_event_that_does_not_end_is_none(size):
    assert await read(b"data: one\n\ndata: two\n", size) == (["one"], [])
