"""What answers tell browsers and caches, and which requests are no HTTP that two hops would read alike."""

import socket
import stat
import tempfile
from pathlib import Path

import psutil
import pytest

LOGIN = "/v1/auth/login"


def test_every_answer_says_that_it_is_not_to_be_kept_nor_guessed_at(gateway):
    answers = [
        gateway.post_json(LOGIN, {"email": "known@example.org"}),
        gateway.post_json(LOGIN, {"email": "x"}),
        gateway.post_json(LOGIN, {"nonsense": "x"}),
        gateway.send("GET", "/v1/documents"),
        gateway.send("GET", "/v1/documents", None, {"authorization": None}),
        gateway.send("GET", "/v1/nothing"),
        gateway.send("PUT", "/v1/documents"),
        gateway.post_json("/v1/ask", {"question": "a"}),
    ]
    assert [answer.status for answer in answers] == [200, 401, 400, 200, 401, 404, 405, 200]
    for answer in answers:
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_an_answer_keeps_what_its_service_says_about_keeping_it(gateway):
    assert gateway.send("GET", "/v1/documents/a/content").headers["cache-control"] == "private, no-store"


def test_whoever_is_unauthenticated_is_told_what_to_send(gateway):
    by_service = gateway.post_json(LOGIN, {"email": "x"})
    by_gateway = gateway.send("GET", "/v1/me", None, {"authorization": None})
    assert (by_service.headers["www-authenticate"], by_gateway.headers["www-authenticate"]) == ("Bearer", "Bearer")
    assert "www-authenticate" not in gateway.send("GET", "/health").headers


@pytest.mark.parametrize("hosts", ["a\r\nhost: b", "a\r\nhost: a", "a,b", "a b"])
def test_a_request_with_two_hosts_is_refused(gateway, hosts):
    reply = gateway.send_bytes(f"GET /health HTTP/1.1\r\nhost: {hosts}\r\n\r\n".encode())
    assert (reply.status, reply.reason) == (400, "INVALID_HTTP")


@pytest.mark.parametrize("line", ["x\r-a: b", "transfer-encoding: chunked\rx: y", "content-length: 1\r1"])
def test_a_bare_carriage_return_ends_no_line(gateway, line):
    handled = len(gateway.journal.methods)
    assert gateway.send_bytes(f"GET /health HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n".encode()).status >= 400
    assert len(gateway.journal.methods) == handled


def test_a_bare_carriage_return_in_a_value_never_gets_behind_the_gateway(gateway):
    gateway.send_bytes(b"GET /health HTTP/1.1\r\nhost: a\r\nx-a: b\rx-b: c\r\n\r\n")
    assert "\r" not in gateway.journal.metadata[-1]["x-a"]
    assert "x-b" not in gateway.journal.metadata[-1]


@pytest.fixture
def admin_socket():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "admin.sock"


def ask_admin(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(request)
        return connection.recv(65536)


def test_the_admin_page_is_a_socket_of_its_own_user_and_no_port(run_gateway, admin_socket):
    for _ in range(2):  # The second Envoy finds the socket of the first.
        with run_gateway(admin=admin_socket) as gateway:
            assert stat.S_IMODE(admin_socket.stat().st_mode) == 0o600
            assert ask_admin(admin_socket, b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n").startswith(b"HTTP/1.1 200")
            open_ports = psutil.Process(gateway.process.pid).net_connections("tcp")
            assert {port.laddr.port for port in open_ports if port.status == psutil.CONN_LISTEN} == {gateway.port}


def test_a_service_hears_from_the_gateway_where_a_client_connects_from_and_from_nobody_else(gateway):
    spoofed = {"x-envoy-external-address": "203.0.113.9", "x-forwarded-for": "203.0.113.9"}
    assert gateway.send("GET", "/health", None, spoofed).status == 200
    assert gateway.journal.metadata[-1]["x-envoy-external-address"] == "127.0.0.1"
