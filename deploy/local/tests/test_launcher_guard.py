"""No child outlives a launcher that is killed."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from launcher import guard

PARENT = """
import subprocess, sys, os, time
child = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), "15", "",
                          sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_guarded_process_ends_with_its_parent(eventually):
    with subprocess.Popen([sys.executable, "-c", PARENT, guard.__file__], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        eventually(lambda: "sleep" in " ".join(psutil.Process(child).cmdline()[-1:]))
        assert not is_gone(child)
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: is_gone(child))


def test_a_guard_whose_parent_is_gone_already_starts_nothing(tmp_path):
    command = [sys.executable, "-I", "-S", guard.__file__, "1", "15", "", sys.executable, "-c", "print('started')"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_guarded_process_keeps_the_pid_of_its_guard():
    command = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), "15", ""]
    with subprocess.Popen([*command, "/bin/sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.read()) == process.pid
