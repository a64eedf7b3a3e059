"""What all hosted models have in common: bounds, refusals, waits."""

import asyncio

import pytest

from servicekit.hosted import ResponseTooLong, is_refusal, may_pass, open_client, read_asked_seconds


@pytest.mark.parametrize(
    ("status", "passes", "refuses"),
    [
        (0, True, False),
        (200, False, False),
        (302, False, False),
        (400, False, True),
        (401, False, True),
        (404, False, True),
        (408, True, False),
        (409, True, False),
        (413, False, True),
        (429, True, False),
        (500, True, False),
        (503, True, False),
        (529, True, False),
    ],
)
def test_a_status_says_whether_the_same_request_may_pass_later(status, passes, refuses):
    assert (may_pass(status), is_refusal(status)) == (passes, refuses)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "86400"}, 60.0),
        ({"retry-after-ms": "soon"}, 0.0),
    ],
)
def test_a_response_asks_for_a_wait_of_a_minute_at_most(headers, seconds):
    assert read_asked_seconds(headers) == seconds


@pytest.fixture
async def url():
    """A server of responses as long as their path says, and of redirects to them."""

    async def answer(reader, writer):
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        if path == "/elsewhere":
            writer.write(b"HTTP/1.1 302 Found\r\nlocation: /1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            length = int(path[1:])
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % length + b"x" * length)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_a_response_beyond_its_bound_is_not_read_to_its_end(url):
    async with open_client(limit_bytes=1000, silence_seconds=5) as client:
        assert len((await client.get(f"{url}/1000")).content) == 1000
        with pytest.raises(ResponseTooLong):
            await client.get(f"{url}/1001")


async def test_no_redirect_is_followed_and_no_compressed_body_asked_for(url):
    async with open_client(limit_bytes=1000, silence_seconds=5) as client:
        answer = await client.get(f"{url}/elsewhere")
    assert (answer.status_code, answer.request.headers["accept-encoding"]) == (302, "identity")
