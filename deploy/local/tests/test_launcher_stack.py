"""The command itself, with the real stack."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from launcher.plan import find_free_ports

ROOT = Path(__file__).parents[3]


UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""A dozen processes start much faster without coverage, which their own tests measure."""


class Stack:
    """A launcher as a process of its own, as `make run` starts it."""

    def __init__(self, folder):
        self.folder = folder
        self.port = find_free_ports(1)[0]
        self.environment = {**UNMEASURED, "DOCUCHAT_PORT": str(self.port), "DOCUCHAT_HOME": "home"}
        self.process = None

    def command(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "launcher", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def up(self):
        self.output = self.folder / "output.txt"
        with self.output.open("wb") as output:
            places = {"cwd": self.folder, "env": self.environment, "stdout": output, "stderr": output}
            self.process = subprocess.Popen([sys.executable, "-m", "launcher"], **places)
        deadline = time.monotonic() + 60
        while "serves at" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)

    def processes(self):
        return {
            process["name"]: process for process in json.loads(self.command("status", "--json").stdout)["processes"]
        }

    def is_healthy(self):
        try:
            return self.health() == {"status": "SERVING"}
        except OSError:
            return False

    def health(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def shared_stack():
    with tempfile.TemporaryDirectory(prefix="docuchat-") as folder:
        stack = Stack(Path(folder))
        stack.up()
        yield stack
        if stack.process.poll() is None:
            stack.process.send_signal(signal.SIGINT)
        stack.process.wait(timeout=60)


@pytest.fixture
def stack(shared_stack):
    """The stack, up again if the test before has ended it."""
    if shared_stack.process.poll() is not None:
        shared_stack.up()
    return shared_stack


def is_running(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_one_command_brings_up_a_healthy_stack_and_says_where(stack):
    assert stack.health() == {"status": "SERVING"}
    processes = stack.processes()
    assert {process["state"] for name, process in processes.items() if name != "migrate"} == {"ready"}
    banner = stack.output.read_text()
    assert f"serves at http://127.0.0.1:{stack.port}" in banner
    assert f"In a browser   http://127.0.0.1:{stack.port}" in banner
    assert "make demo" in banner


def test_make_demo_follows_the_port(stack):
    place = {"cwd": ROOT, "env": {**stack.environment, "DOCUCHAT_HOME": str(stack.folder / "home")}}
    done = subprocess.run(["make", "demo"], capture_output=True, text=True, check=False, timeout=120, **place)
    assert done.returncode == 0, done.stderr
    assert "handbook.md: " in done.stderr


def test_a_second_launcher_on_the_home_is_refused(stack):
    done = stack.command()
    assert (done.returncode, "already runs" in done.stderr) == (2, True)


def test_a_dead_service_comes_back(stack, eventually):
    before = stack.processes()["chat"]["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.processes()["chat"]["state"] == "ready" and stack.processes()["chat"]["restarts"] == 1, 30)
    assert stack.processes()["chat"]["pid"] != before
    eventually(stack.is_healthy)


def test_processes_that_stand_still_are_replaced(stack, eventually):
    names = ("worker", "auth", "gateway", "postgres")
    before = {name: stack.processes()[name]["pid"] for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGSTOP)
    for name, pid in before.items():
        eventually(lambda name=name, pid=pid: stack.processes()[name]["pid"] not in (None, pid), 60)
        assert f"{name}: restarting gave no sign of life" in stack.output.read_text()
    eventually(stack.is_healthy, 60)
    eventually(lambda: {stack.processes()[name]["state"] for name in names} == {"ready"}, 60)


def test_after_kill_9_of_the_launcher_the_next_start_finds_the_data_and_no_orphans(stack, eventually):
    pids = [process["pid"] for process in stack.processes().values() if process["pid"]]
    stack.process.kill()
    stack.process.wait()
    stack.up()
    assert not [pid for pid in pids if is_running(pid)]
    assert stack.health() == {"status": "SERVING"}


def test_stop_ends_every_process_and_the_launcher_says_0(stack):
    pids = [process["pid"] for process in stack.processes().values() if process["pid"]]
    assert stack.command("stop").returncode == 0
    assert stack.process.wait(timeout=10) == 0
    assert not [pid for pid in pids if is_running(pid)]
    assert stack.command("status").returncode == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DOCUCHAT_PROVIDER", "gpt", "chat does not start: DOCUCHAT_PROVIDER"),
        ("DOCUCHAT_PROVIDER", "openai", "needs OPENAI_API_KEY"),
        ("DOCUCHAT_CORS_ORIGINS", "*", "gateway: DOCUCHAT_CORS_ORIGINS"),
    ],
)
def test_a_wrong_setting_is_said_before_anything_starts(tmp_path, name, value, said):
    bare = {key: content for key, content in UNMEASURED.items() if not key.startswith(("DOCUCHAT_", "OPENAI_"))}
    places = {"cwd": tmp_path, "env": bare | {"DOCUCHAT_HOME": "home", "DOCUCHAT_PORT": str(find_free_ports(1)[0])}}
    places["env"][name] = value
    done = subprocess.run(
        [sys.executable, "-m", "launcher"], capture_output=True, text=True, check=False, timeout=60, **places
    )
    assert (done.returncode, said in done.stderr, "starting" in done.stdout) == (2, True, False), done
    assert not any(word in done.stderr for word in ("Traceback", "pydantic"))


def test_url_is_where_the_settings_and_the_env_file_put_the_gateway(tmp_path):
    (tmp_path / ".env").write_text("DOCUCHAT_PORT=8099\n")
    bare = {name: value for name, value in UNMEASURED.items() if not name.startswith("DOCUCHAT_")}
    command = [sys.executable, "-m", "launcher", "url"]
    for extra, port in (({}, 8099), ({"DOCUCHAT_PORT": "8098"}, 8098)):
        done = subprocess.run(
            command, cwd=tmp_path, env=bare | extra, capture_output=True, text=True, check=False, timeout=30
        )
        assert (done.returncode, done.stdout) == (0, f"http://127.0.0.1:{port}\n")
