"""Small processes to supervise, and a home in a temporary folder."""

import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from launcher.home import Home
from launcher.spec import ProcessSpec


@pytest.fixture
def home():
    # Not pytest's own folder: that is closed to the user as whom root runs PostgreSQL.
    with tempfile.TemporaryDirectory(prefix="docuchat-") as folder:
        home = Home(Path(folder) / "home")
        home.create()
        yield home


@pytest.fixture
def python_spec():
    """Make the spec of a process that runs a piece of Python."""

    def make(name, code, **fields):
        return ProcessSpec(name=name, command=(sys.executable, "-c", textwrap.dedent(code)), **fields)

    return make


@pytest.fixture
def eventually():
    """Wait until something holds; fail after ten seconds."""

    def wait(condition, seconds=10):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait
