"""The supervisor with processes that sleep, die and resist."""

import asyncio
import os
import signal
import time

import psutil
import pytest

from launcher.spec import State
from launcher.supervisor import Backoff, Supervisor, TaskFailedError

SLEEP = "import time; time.sleep(60)"
QUICK = Backoff(first=0.05, longest=0.2, forget_after=30)


class FileProbe:
    """Ready when a file exists."""

    def __init__(self, path):
        self.path = path

    async def is_ready(self):
        return self.path.exists()


@pytest.fixture
async def supervise(home):
    """Start a supervisor; stop it at the end."""
    started = []

    def make(*specs, backoff=QUICK):
        events = []
        supervisor = Supervisor(specs, home.logs, events.append, backoff)
        supervisor.start()
        started.append(supervisor)
        return supervisor, events

    yield make
    for supervisor in started:
        await supervisor.stop()


async def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def seen(events, state):
    return [event.name for event in events if event.state is state]


async def test_a_process_starts_only_when_what_it_needs_is_ready(supervise, python_spec, tmp_path):
    first = python_spec("first", SLEEP, probe=FileProbe(tmp_path / "ready"))
    second = python_spec("second", SLEEP, needs=frozenset({"first"}))
    supervisor, events = supervise(first, second)
    await until(lambda: seen(events, State.STARTING) == ["first"])
    await asyncio.sleep(0.2)
    assert seen(events, State.STARTING) == ["first"]
    (tmp_path / "ready").touch()
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    assert seen(events, State.READY) == ["first", "second"]


async def test_a_task_must_end_well_before_others_start(supervise, python_spec):
    task = python_spec("task", "print('done')", once=True)
    supervisor, events = supervise(task, python_spec("after", SLEEP, needs=frozenset({"task"})))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    assert [(event.name, event.state) for event in events][:3] == [
        ("task", State.STARTING),
        ("task", State.DONE),
        ("after", State.STARTING),
    ]


async def test_a_task_that_fails_is_reported_with_the_last_line_of_its_log(supervise, python_spec):
    supervisor, events = supervise(python_spec("task", "import sys; sys.exit('no such table')", once=True))
    with pytest.raises(TaskFailedError, match="no such table"):
        await asyncio.wait_for(supervisor.wait_failure(), 10)
    assert seen(events, State.FAILED) == ["task"]


async def test_a_process_that_is_killed_comes_back(supervise, python_spec):
    supervisor, events = supervise(python_spec("victim", SLEEP))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    os.kill(supervisor.members["victim"].running.pid, signal.SIGKILL)
    await until(lambda: len(seen(events, State.READY)) == 2)
    restart = next(event for event in events if event.state is State.RESTARTING)
    assert restart.detail.startswith("killed by signal 9")
    assert supervisor.members["victim"].restarts == 1


async def test_what_a_dead_process_had_started_dies_too(supervise, python_spec, tmp_path):
    code = f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open({str(tmp_path / "pid")!r}, "a").write(f"{{child.pid}}\\n")
        time.sleep(0.3)
        os._exit(1)
    """
    _, events = supervise(python_spec("parent", code))
    await until(lambda: len(seen(events, State.RESTARTING)) >= 1)
    orphan = int((tmp_path / "pid").read_text().splitlines()[0])
    await until(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE)


def test_the_wait_doubles_up_to_a_limit():
    assert [Backoff().delay(failures) for failures in (1, 2, 3, 6, 1000)] == [0.2, 0.4, 0.8, 5.0, 5.0]


async def test_a_long_healthy_run_is_forgiven(supervise, python_spec):
    short = "import time; time.sleep(0.15)"
    _, events = supervise(python_spec("flapping", short), backoff=Backoff(first=0.01, longest=9, forget_after=0.05))
    await until(lambda: len(seen(events, State.RESTARTING)) == 3)
    assert all("again in 0.0 s" in event.detail for event in events if event.state is State.RESTARTING)


async def test_everything_stops_in_reverse_order(supervise, python_spec):
    specs = [python_spec(name, SLEEP) for name in ("a", "b", "c")]
    supervisor, events = supervise(*specs)
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    await supervisor.stop()
    assert seen(events, State.STOPPED) == ["c", "b", "a"]


async def test_a_process_that_ignores_the_signal_is_ended_after_its_grace(supervise, python_spec, tmp_path):
    code = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(tmp_path / "deaf")!r}).touch()
        time.sleep(60)
    """
    supervisor, _ = supervise(python_spec("deaf", code, probe=FileProbe(tmp_path / "deaf"), grace_seconds=0.3))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    started = time.monotonic()
    await supervisor.stop()
    assert 0.3 <= time.monotonic() - started < 5


async def test_kill_ends_a_stop_that_takes_too_long(supervise, python_spec, tmp_path):
    code = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(tmp_path / "deaf")!r}).touch()
        time.sleep(60)
    """
    specs = [
        python_spec("other", SLEEP),
        python_spec("deaf", code, probe=FileProbe(tmp_path / "deaf"), grace_seconds=30),
    ]
    supervisor, events = supervise(*specs)
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: seen(events, State.STOPPING) == ["deaf"])
    supervisor.kill()
    await asyncio.wait_for(stopping, 5)
    assert seen(events, State.STOPPED) == ["deaf", "other"]


async def test_stopping_in_the_middle_of_starting_leaves_nothing(supervise, python_spec, tmp_path):
    never = FileProbe(tmp_path / "never")
    first = python_spec("first", SLEEP, probe=never)
    supervisor, events = supervise(first, python_spec("second", SLEEP, needs=frozenset({"first"})))
    await until(lambda: seen(events, State.STARTING) == ["first"])
    pid = supervisor.members["first"].running.pid
    await supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert supervisor.members["second"].state is State.STOPPED


async def test_a_process_sees_only_the_environment_of_its_plan(supervise, python_spec, home):
    code = "import os; print(sorted(name for name in os.environ if not name.startswith('LC_')), flush=True)"
    supervisor, _ = supervise(python_spec("bare", code, environment={"ONLY": "this"}, once=True))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    assert supervisor.log_path("bare").read_text().strip() == "['ONLY']"


async def test_each_start_begins_a_new_log_and_keeps_the_last(supervise, python_spec, home):
    (home.logs / "task.log").write_text("from yesterday")
    supervisor, _ = supervise(python_spec("task", "print('today')", once=True))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    assert (home.logs / "task.log").read_text() == "today\n"
    assert (home.logs / "task.log.1").read_text() == "from yesterday"


async def test_a_need_that_is_not_listed_before_is_refused(home, python_spec):
    with pytest.raises(ValueError, match="needs ghost"):
        Supervisor([python_spec("a", SLEEP, needs=frozenset({"ghost"}))], home.logs, print)
