"""Presses a running gateway: `python tests/load/press_gateway.py [--seconds N] [--envoy-pid PID] [--json]`.

The gateway is at DOCUCHAT_URL (default http://127.0.0.1:8080). Three senders
post 7.9 MiB of `[` to the log-in, 200 requests stay half sent, one account
leaves 40 downloads unread; each alone, then all at once. Meanwhile another
tenant's list of documents is timed, beside the same call on the idle gateway of
the same run. It speaks to loopback addresses only, makes two accounts, and ends
by itself.
"""

import argparse
import contextlib
import http.client
import ipaddress
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import psutil
from bench import Latencies
from rich.console import Console
from rich.table import Table

SENDERS, HALVES, DOWNLOADS = 3, 200, 40
BRACKETS = b"[" * int(7.9 * 1024 * 1024)
HALF = b'{"text":"' + b"x" * 1024 * 1024
FILE = b"%PDF-1.4\n" + b"no page in here\n" * 1_250_000
MOST_SECONDS = 60
CALL_SECONDS = 10
PAUSE_SECONDS = 0.01

Press = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Phase:
    """What the other tenant saw while something pressed."""

    pressed_by: str
    calls: Latencies
    failed: int
    memory_mib: tuple[int, int] | None
    """Envoy's resident memory: the highest during the phase, and when it was over."""
    answers: dict[str, int]
    """What the pressing requests were answered, by status; "none" where the connection was cut without one."""


@dataclass
class Gateway:
    """Where to press, and as whom."""

    host: str
    port: int
    token: str = ""
    document_id: str = ""
    answers: Counter[str] = field(default_factory=Counter)

    def connect(self) -> http.client.HTTPConnection:
        """Returns a connection that is not open yet."""
        return http.client.HTTPConnection(self.host, self.port, timeout=CALL_SECONDS)

    def call(self, method: str, path: str, body: bytes | None = None, token: str = "") -> dict:
        """Makes one call of JSON. Raises SystemExit if it is refused."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, {"authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            sys.exit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)

    def sign_up(self) -> str:
        """Makes an account; returns its access token."""
        account = {"email": f"press-{secrets.token_hex(6)}@example.org", "password": secrets.token_urlsafe(24)}
        return self.call("POST", "/v1/auth/sign-up", json.dumps(account).encode())["tokens"]["access_token"]

    def begin(self, head: str, content: bytes = b"", token: str = "") -> socket.socket:
        """Sends a request as far as it goes; returns its connection, which takes in next to nothing."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(CALL_SECONDS)
        connection.connect((self.host, self.port))
        credentials = f"authorization: Bearer {token}\r\n" if token else ""
        # Cut already: what it was answered is read later.
        with contextlib.suppress(OSError):
            connection.sendall(f"{head} HTTP/1.1\r\nhost: {self.host}\r\n{credentials}".encode())
            connection.sendall(f"content-length: {2 * len(content)}\r\n\r\n".encode() + content)
        return connection

    def count_answer(self, connection: socket.socket) -> None:
        """Writes down the status of what came back by now."""
        connection.setblocking(False)
        try:
            self.answers[connection.recv(12).decode()[9:] or "none"] += 1
        except BlockingIOError:
            self.answers["still open"] += 1
        except OSError:
            self.answers["none"] += 1


@contextlib.contextmanager
def send_brackets(gateway: Gateway) -> Iterator[None]:
    """Posts brackets to the log-in, over and over."""
    stopped = threading.Event()
    threads = [threading.Thread(target=loop_brackets, args=(gateway, stopped)) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def loop_brackets(gateway: Gateway, stopped: threading.Event) -> None:
    """Sends one body after the other until stopped."""
    head = f"POST /v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: {len(BRACKETS)}\r\n\r\n".encode()
    while not stopped.is_set():
        with socket.create_connection((gateway.host, gateway.port), timeout=CALL_SECONDS) as connection:
            status = "none"
            with contextlib.suppress(OSError):
                connection.sendall(head + BRACKETS)
            with contextlib.suppress(OSError):
                status = connection.recv(12).decode()[9:] or status
            gateway.answers[status] += 1


@contextlib.contextmanager
def send_halves(gateway: Gateway) -> Iterator[None]:
    """Leaves requests half sent: half of them to the log-in without a token, half to a route that takes long texts."""
    with contextlib.ExitStack() as stack:
        begun = []
        for number in range(HALVES):
            path, token = ("/v1/auth/login", "") if number % 2 else ("/v1/documents:from-text", gateway.token)
            begun.append(stack.enter_context(gateway.begin(f"POST {path}", HALF, token)))
        yield
        for connection in begun:
            gateway.count_answer(connection)


@contextlib.contextmanager
def leave_unread(gateway: Gateway) -> Iterator[None]:
    """Asks for a file of 20 MB many times and reads none."""
    with contextlib.ExitStack() as stack:
        path = f"/v1/documents/{gateway.document_id}/content"
        begun = [stack.enter_context(gateway.begin(f"GET {path}", b"", gateway.token)) for _ in range(DOWNLOADS)]
        yield
        for connection in begun:
            gateway.count_answer(connection)


@contextlib.contextmanager
def do_all(gateway: Gateway) -> Iterator[None]:
    """Presses in all three ways."""
    with leave_unread(gateway), send_halves(gateway), send_brackets(gateway):
        yield


def upload_file(gateway: Gateway) -> str:
    """Uploads a file that is no document, so that nothing is indexed; returns its id once it is done with."""
    path = "/v1/documents"
    document = gateway.call("POST", f"{path}?filename=press.pdf", FILE, gateway.token)["documents"][0]
    deadline = time.monotonic() + MOST_SECONDS
    while document["state"] != "FAILED" and time.monotonic() < deadline:
        time.sleep(0.2)
        document = gateway.call("GET", f"{path}/{document['document_id']}", None, gateway.token)["document"]
    return document["document_id"]


def measure_phase(name: str, gateway: Gateway, press: Press, token: str, seconds: float, pid: int | None) -> Phase:
    """Times the other tenant's list call for so many seconds while something presses."""
    gateway.answers.clear()
    taken: list[float] = []
    failed, highest = 0, 0
    with press():
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            began = time.monotonic()
            failed += not list_documents(gateway, token)
            taken.append(time.monotonic() - began)
            highest = max(highest, read_memory(pid))
            time.sleep(PAUSE_SECONDS)
    time.sleep(1)
    memory = (highest, read_memory(pid)) if pid else None
    return Phase(name, Latencies.of(taken), failed, memory, dict(gateway.answers))


def list_documents(gateway: Gateway, token: str) -> bool:
    """Tells whether the list came, over a connection of its own, within CALL_SECONDS."""
    try:
        with contextlib.closing(gateway.connect()) as connection:
            connection.request("GET", "/v1/documents", headers={"authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False


def read_memory(pid: int | None) -> int:
    """Returns a process's resident memory in MiB."""
    return psutil.Process(pid).memory_info().rss >> 20 if pid else 0


def measure(gateway: Gateway, seconds: float, pid: int | None) -> list[Phase]:
    """Makes the accounts and runs the phases, the idle gateway first and last."""
    token = gateway.sign_up()
    gateway.token = gateway.sign_up()
    gateway.document_id = upload_file(gateway)
    presses: dict[str, Press] = {
        "nobody": contextlib.nullcontext,
        f"{SENDERS} senders of brackets": lambda: send_brackets(gateway),
        f"{HALVES} half-sent requests": lambda: send_halves(gateway),
        f"{DOWNLOADS} unread downloads": lambda: leave_unread(gateway),
        "all of them": lambda: do_all(gateway),
        "nobody again": contextlib.nullcontext,
    }
    return [measure_phase(name, gateway, press, token, seconds, pid) for name, press in presses.items()]


def print_phases(phases: list[Phase]) -> None:
    """Prints the figures as a table."""
    title = "Another tenant's list of documents while the gateway is pressed"
    table = Table("pressed by", "calls", "failed", "p50 ms", "p99 ms", "Envoy MiB, most/after", "answers", title=title)
    for phase in phases:
        memory = "/".join(map(str, phase.memory_mib)) if phase.memory_mib else "-"
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(phase.answers.items()))
        calls = phase.calls
        table.add_row(
            phase.pressed_by, str(calls.count), str(phase.failed), str(calls.p50_ms), str(calls.p99_ms), memory, answers
        )
    Console().print(table)


def find_gateway(url: str) -> Gateway:
    """Returns the gateway at a loopback address. Raises SystemExit for any other."""
    parts = urlsplit(url)
    host = socket.gethostbyname(parts.hostname or "")
    if parts.scheme != "http" or not ipaddress.ip_address(host).is_loopback:
        sys.exit(f"{url}: this presses http on loopback addresses only")
    return Gateway(host, parts.port or 80)


def main() -> None:
    """Reads the command line, presses and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help=f"for each phase, at most {MOST_SECONDS}")
    parser.add_argument("--envoy-pid", type=int, help="whose memory to watch")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    phases = measure(
        find_gateway(os.environ.get("DOCUCHAT_URL", "http://127.0.0.1:8080")),
        min(options.seconds, MOST_SECONDS),
        options.envoy_pid,
    )
    if options.json:
        sys.stdout.write(json.dumps([asdict(phase) for phase in phases]) + "\n")
    else:
        print_phases(phases)


if __name__ == "__main__":
    main()
