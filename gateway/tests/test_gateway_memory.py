"""What one caller can make the gateway hold, and what the others notice of it."""

import contextlib
import socket
import time

import psutil
import pytest

from gateway.config import Limits

MEBIBYTE = 1024 * 1024
HEAP = 96 * MEBIBYTE


@pytest.fixture(scope="module")
def small_gateway(run_gateway):
    """A gateway with little memory."""
    with run_gateway(limits=Limits(heap_bytes=HEAP)) as gateway:
        yield gateway


def read_memory(gateway):
    return psutil.Process(gateway.process.pid).memory_info().rss


def begin(gateway, method, path, length=0):
    """Send the headers of a request; return its connection, whose own buffer is small."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.settimeout(5)
    connection.connect(("127.0.0.1", gateway.port))
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\nauthorization: Bearer {gateway.token}\r\n"
    )
    connection.sendall(f"{head}\r\n".encode())
    return connection


def test_downloads_that_nobody_reads_stop_nobody_elses_calls(gateway):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            download = stack.enter_context(begin(gateway, "GET", "/v1/documents/endless/content"))
            assert download.recv(64).startswith(b"HTTP/1.1 200")
        wait_until_still(gateway)
        started = time.monotonic()
        assert gateway.send("GET", "/v1/documents").status == 200
        assert gateway.send("GET", "/v1/documents/a/text").json["text"] == "ß" * 2_000_000
        assert time.monotonic() - started < 10


def wait_until_still(gateway):
    """Wait until Envoy does nothing more: whatever can be sent ahead of the readers has been."""
    envoy = psutil.Process(gateway.process.pid)
    deadline = time.monotonic() + 20
    while envoy.cpu_percent(interval=0.2) > 3:
        assert time.monotonic() < deadline, "the gateway does not come to rest"


def test_unfinished_bodies_do_not_take_more_memory_than_there_is(small_gateway):
    idle = read_memory(small_gateway)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            unfinished = stack.enter_context(begin(small_gateway, "POST", "/v1/documents:from-text", 8 * MEBIBYTE))
            # Where it has been cut by now, the rest of it has nobody to go to.
            with contextlib.suppress(OSError):
                unfinished.sendall(b"[" * (7 * MEBIBYTE))
        assert read_memory(small_gateway) - idle < 2 * HEAP
        assert small_gateway.process.poll() is None
    assert wait_for_health(small_gateway) == 200


def wait_for_health(gateway):
    deadline = time.monotonic() + 10
    while (status := gateway.send("GET", "/health").status) != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


def test_half_sent_requests_of_strangers_hold_next_to_nothing(gateway):
    idle = read_memory(gateway)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            half = stack.enter_context(begin(gateway, "POST", "/v1/auth/login", 65536))
            half.sendall(b'{"email":"' + b"x" * 32768)
        assert gateway.send("GET", "/health").status == 200
        assert read_memory(gateway) - idle < 32 * MEBIBYTE


def test_a_gateway_out_of_memory_says_that_it_is_overloaded(run_gateway):
    with run_gateway(limits=Limits(heap_bytes=MEBIBYTE)) as gateway:
        deadline = time.monotonic() + 10
        while (reply := gateway.send("GET", "/health")).status == 200:
            assert time.monotonic() < deadline
        assert (reply.status, reply.reason) == (503, "OVERLOADED")
