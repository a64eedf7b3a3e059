"""The whole stack as its users start it, in a folder of its own."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil

from tests.http_client import HttpClient, Reply

HEALTHY_SECONDS = 90
REMEMBERED_SECONDS = 2.5
"""How old an answer to GET /health may be: each service remembers its own checks, and the one that asks all theirs."""
STOP_SECONDS = 60
UNLIMITED = {f"DOCUCHAT_RATE_LIMIT_{name}": "0" for name in ("CHANGES", "READS", "API_KEY", "LOGINS")}
# All tests come from one address.
UNLIMITED |= {
    f"DOCUCHAT_CODE_{name}": "100000"
    for name in ("REQUESTS_PER_CLIENT", "REQUESTS_OVERALL", "FAILURES_PER_CLIENT", "FAILURES_OVERALL")
}
"""One machine makes the calls of many people here; what is about limits sets them."""
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")


def free_port() -> int:
    """Returns a port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class RunningStack:
    """`python -m launcher` on a home folder and a port; both stay the same over restarts."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    python: str = sys.executable
    """Whose environment the launcher runs in; that of another checkout measures that one."""
    settings: dict[str, str] = field(default_factory=dict)
    """What a user would have set."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    @property
    def http(self) -> HttpClient:
        """A client without a token."""
        return HttpClient(self.port)

    def start(self) -> float:
        """Starts everything; returns the seconds until GET /health said SERVING."""
        began = time.monotonic()
        # No provider key and no .env of the developer's may change what the tests see.
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"DOCUCHAT_HOME": str(self.home), "DOCUCHAT_PORT": str(self.port), **UNLIMITED, **self.settings}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "launcher"],
                env=environment,
                cwd=self.home.parent,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_healthy(HEALTHY_SECONDS)
        return time.monotonic() - began

    def wait_healthy(self, seconds: float) -> None:
        """Waits until every service answers. Raises RuntimeError with the logs' last lines."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if self.is_healthy():
                return
            time.sleep(0.1)
        raise RuntimeError(f"the stack is not healthy\n{self.describe()}")

    def wait_recovered(self, seconds: float) -> None:
        """Waits until every service answers, and goes on to for longer than the answer can be from before an outage."""
        end, since = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < since + REMEMBERED_SECONDS:
            if not self.is_healthy():
                since = time.monotonic()
            if time.monotonic() > end:
                raise RuntimeError(f"the stack is not healthy\n{self.describe()}")
            time.sleep(0.1)

    def wait_unhealthy(self, seconds: float) -> Reply:
        """Waits until GET /health tells of an outage; returns what it says."""
        end = time.monotonic() + seconds
        while (reply := self.http.get("/health")).status == 200:
            if time.monotonic() > end:
                raise TimeoutError(f"an outage was not noticed within {seconds} s")
            time.sleep(0.05)
        return reply

    def is_healthy(self) -> bool:
        try:
            return self.http.get("/health").json == {"status": "SERVING"}
        except (OSError, ValueError):
            return False

    def stop(self) -> int:
        """Presses Ctrl-C; returns the launcher's exit status. Raises TimeoutExpired if it hangs."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Ends what a failed test may have left."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def processes(self) -> dict[str, dict]:
        """Returns what runs, by name: pid, state, address and more, from the launcher's state file."""
        state = json.loads((self.home / "run" / "state.json").read_text())
        return {row["name"]: row for row in state["processes"]}

    def survivors(self, before: dict[str, dict]) -> list[str]:
        """Returns the names of earlier processes that are still there."""
        return [name for name, row in before.items() if row["pid"] and _is_same(row["pid"], row["created"])]

    def kill(self, name: str) -> int:
        """Kills one process as a power cut would; returns its pid."""
        pid = self.processes()[name]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_another(self, name: str, killed: int, seconds: float, state: str = "") -> None:
        """Waits until the launcher has started a process in place of a killed one, and finds it in a state if given."""
        end = time.monotonic() + seconds
        while (row := self.processes()[name])["pid"] in (None, killed) or state not in ("", row["state"]):
            if time.monotonic() > end:
                raise TimeoutError(f"{name} was not started again\n{self.describe()}")
            time.sleep(0.05)

    def query(self, statement: str, *values: object) -> object:
        """Returns the first value that PostgreSQL's superuser finds, or does what the statement says."""

        async def run() -> object:
            password = json.loads((self.home / "secrets" / "passwords.json").read_text())["postgres_password"]
            port = self.processes()["postgres"]["address"].rpartition(":")[2]
            connection = await asyncpg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/docuchat")
            try:
                return await connection.fetchval(statement, *values)
            finally:
                await connection.close()

        return asyncio.run(run())

    def stored_files(self) -> set[Path]:
        """Returns every file that ingestion keeps, finished or not."""
        return {path for path in (self.home / "data" / "ingestion").rglob("*") if path.is_file()}

    def describe(self) -> str:
        """Returns the last lines of every log."""
        logs = [self.log, *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{_tail(log)}" for log in logs if log.exists())


def _is_same(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])
