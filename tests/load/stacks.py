"""What `compare.py` measures: whole stacks, and servers of one method, each of a checkout of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

HERE = Path(__file__).parent
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
START_SECONDS = 90
STOP_SECONDS = 60


def find_free_port() -> int:
    """Returns a port of the loopback address on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sum_cpu(process: psutil.Process) -> float:
    """Returns the CPU seconds of a process and of its children, ended ones included."""
    times = process.cpu_times()
    own = times.user + times.system + times.children_user + times.children_system
    return float(own + sum(sum_cpu(child) for child in process.children()))


class OwnProcess:
    """A process that ends with the block that it is for."""

    process: "subprocess.Popen[bytes]"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Upstream(OwnProcess):
    """upstream.py in a process of its own."""

    def __init__(self) -> None:
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "upstream.py"), str(port)], stderr=subprocess.DEVNULL
        )


class MeasuredStack(OwnProcess):
    """`python -m launcher` of a checkout, asking the upstream for its answers."""

    def __init__(self, project: Path, home: Path, upstream: str) -> None:
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._home = home
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "DOCUCHAT_HOME": str(home),
            "DOCUCHAT_PORT": str(port),
            "DOCUCHAT_PROVIDER": "openai",
            "DOCUCHAT_EMBEDDER": "minilm",
            "OPENAI_API_KEY": "stub",
            "OPENAI_BASE_URL": upstream,
            "OPENAI_MODEL": "stub",
            # One client presses as hard as it can: limits that are there, and never reached, cost what they cost.
            **{f"DOCUCHAT_RATE_LIMIT_{name}": "1000000" for name in ("CHANGES", "READS", "API_KEY", "LOGINS")},
        }
        self.process = subprocess.Popen(
            [str(project / ".venv/bin/python"), "-m", "launcher"],
            env=environment,
            cwd=project,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_healthy()

    def cpu_seconds(self) -> dict[str, float]:
        """Returns the CPU seconds that each process has used, its children's included."""
        pids = {str(row["name"]): int(row["pid"]) for row in self._rows() if row["pid"]}
        return {name: sum_cpu(psutil.Process(pid)) for name, pid in pids.items()}

    def address(self, name: str) -> str:
        """Returns where a service listens."""
        return next(str(row["address"]) for row in self._rows() if row["name"] == name)

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self._home / "run/state.json").read_text())["processes"]
        return rows

    def _wait_healthy(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise subprocess.SubprocessError(f"the stack of {self.process.args!r} does not serve")


class LayersServer(OwnProcess):
    """layers_server.py, run by the python of a checkout."""

    def __init__(self, project: Path) -> None:
        self.process = subprocess.Popen(
            [str(project / ".venv/bin/python"), str(HERE / "layers_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        ready = json.loads(self.process.stdout.readline()) if self.process.stdout else {}
        self.bare, self.layered, self.token = str(ready["bare"]), str(ready["layered"]), str(ready["token"])

    def cpu_seconds(self) -> float:
        """Returns the CPU seconds that the process has used."""
        return sum_cpu(psutil.Process(self.process.pid))
