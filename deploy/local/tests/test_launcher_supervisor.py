"""The supervisor with processes that sleep, die and resist."""

import asyncio
import os
import signal
import time

import psutil
import pytest

from launcher.spec import State
from launcher.supervisor import Backoff, StartFailedError, Supervisor, Watch

SLEEP = "import time; time.sleep(60)"
QUICK = Backoff(first=0.05, longest=0.2, forget_after=30)
CLOSE = Watch(starting=0.02, running=0.05, silent_looks=3, longest_start=1)


class FileProbe:
    """Ready when a file exists, alive while another does not."""

    def __init__(self, path, silence=None):
        self.path = path
        self.silence = silence
        self.looks = 0

    async def is_ready(self):
        self.looks += 1
        return self.path.exists()

    async def is_alive(self):
        self.looks += 1
        return not (self.silence and self.silence.exists())


@pytest.fixture
async def supervise(home):
    """Start a supervisor; stop it at the end."""
    started = []

    def make(*specs, backoff=QUICK):
        events = []
        supervisor = Supervisor(specs, home.logs, events.append, backoff, CLOSE)
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
    probe = FileProbe(tmp_path / "ready")
    first = python_spec("first", SLEEP, probe=probe)
    second = python_spec("second", SLEEP, needs=frozenset({"first"}))
    supervisor, events = supervise(first, second)
    await until(lambda: probe.looks > 5)
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
    with pytest.raises(StartFailedError, match="no such table"):
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


async def test_a_process_that_falls_silent_is_killed_and_started_again(supervise, python_spec, tmp_path):
    silence = tmp_path / "silence"
    (tmp_path / "ready").touch()
    supervisor, events = supervise(python_spec("frozen", SLEEP, probe=FileProbe(tmp_path / "ready", silence)))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    before = supervisor.members["frozen"].running.pid
    os.kill(before, signal.SIGSTOP)
    silence.touch()
    await until(lambda: seen(events, State.RESTARTING))
    silence.unlink()
    await until(lambda: len(seen(events, State.READY)) == 2)
    assert supervisor.members["frozen"].running.pid != before
    restart = next(event for event in events if event.state is State.RESTARTING)
    assert restart.detail.startswith("gave no sign of life and was killed")


async def test_a_process_that_lives_and_cannot_work_now_is_left_alone(supervise, python_spec, tmp_path):
    probe = FileProbe(tmp_path / "ready")
    probe.path.touch()
    supervisor, events = supervise(python_spec("patient", SLEEP, probe=probe))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    probe.path.unlink()
    looks = probe.looks
    await until(lambda: probe.looks > looks + 2 * CLOSE.silent_looks)
    assert not seen(events, State.RESTARTING)


async def test_a_start_that_hangs_without_a_sign_of_life_is_begun_again(supervise, python_spec, tmp_path):
    (tmp_path / "silence").touch()
    _, events = supervise(python_spec("stuck", SLEEP, probe=FileProbe(tmp_path / "never", tmp_path / "silence")))
    await until(lambda: len(seen(events, State.STARTING)) == 2)


async def test_a_probe_that_fails_has_heard_nothing(supervise, python_spec, tmp_path):
    class BrokenProbe(FileProbe):
        async def is_alive(self):
            raise ZeroDivisionError

    (tmp_path / "ready").touch()
    _, events = supervise(python_spec("frozen", SLEEP, probe=BrokenProbe(tmp_path / "ready")))
    await until(lambda: seen(events, State.RESTARTING))


async def test_a_process_that_never_gets_ready_ends_the_start_with_its_last_words(supervise, python_spec, tmp_path):
    code = "import sys; print('first words'); sys.exit('no room left')"
    never = FileProbe(tmp_path / "never")
    supervisor, events = supervise(python_spec("hopeless", code, probe=never), backoff=Backoff(0.01, 0.01, attempts=3))
    with pytest.raises(StartFailedError, match=r"hopeless ended with status 1(?s:.*)first words(?s:.*)no room left"):
        await asyncio.wait_for(supervisor.wait_failure(), 10)
    assert len(seen(events, State.STARTING)) == 3


async def test_a_process_that_has_worked_once_is_started_again_for_ever(supervise, python_spec, tmp_path):
    ready = tmp_path / "ready"
    code = f"import pathlib, time; time.sleep(60 * (not pathlib.Path({str(ready)!r}).exists()))"
    supervisor, events = supervise(
        python_spec("veteran", code, probe=FileProbe(ready)), backoff=Backoff(0.01, 0.01, attempts=3)
    )
    await until(lambda: seen(events, State.STARTING))
    ready.touch()
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    os.kill(supervisor.members["veteran"].running.pid, signal.SIGKILL)
    await until(lambda: len(seen(events, State.RESTARTING)) >= 4)
    assert not seen(events, State.FAILED)


async def test_a_process_that_cannot_even_be_started_is_tried_again(supervise, python_spec, home):
    supervisor, events = supervise(python_spec("victim", SLEEP))
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    home.logs.rename(home.root / "away")
    os.kill(supervisor.members["victim"].running.pid, signal.SIGKILL)
    await until(lambda: len(seen(events, State.RESTARTING)) >= 2)
    (home.root / "away").rename(home.logs)
    await until(lambda: len(seen(events, State.READY)) == 2)


def test_the_wait_doubles_up_to_a_limit():
    assert [Backoff().delay(failures) for failures in (1, 2, 3, 6, 1000)] == [0.2, 0.4, 0.8, 5.0, 5.0]


async def test_a_long_healthy_run_is_forgiven(supervise, python_spec):
    short = "import time; time.sleep(0.15)"
    _, events = supervise(python_spec("flapping", short), backoff=Backoff(first=0.01, longest=9, forget_after=0.05))
    await until(lambda: len(seen(events, State.RESTARTING)) == 3)
    assert all("again in 0.0 s" in event.detail for event in events if event.state is State.RESTARTING)


async def test_a_process_stops_when_all_that_need_or_use_it_have_stopped(supervise, python_spec):
    specs = [
        python_spec("store", SLEEP),
        python_spec("service", SLEEP, needs=frozenset({"store"})),
        python_spec("gateway", SLEEP, uses=frozenset({"service"})),
    ]
    supervisor, events = supervise(*specs)
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    await supervisor.stop()
    assert seen(events, State.STOPPING) == seen(events, State.STOPPED) == ["gateway", "service", "store"]


async def test_what_does_not_need_each_other_stops_side_by_side(supervise, python_spec):
    supervisor, events = supervise(*[python_spec(name, SLEEP) for name in ("a", "b", "c")])
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    await supervisor.stop()
    assert [event.state for event in events[-6:]] == [State.STOPPING] * 3 + [State.STOPPED] * 3


async def test_what_dies_while_others_stop_is_not_started_again(supervise, python_spec, tmp_path):
    deaf = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(tmp_path / "asked")!r}).touch())
        pathlib.Path({str(tmp_path / "deaf")!r}).touch()
        time.sleep(60)
    """
    user = python_spec("user", deaf, uses=frozenset({"used"}), grace_seconds=1, probe=FileProbe(tmp_path / "deaf"))
    supervisor, events = supervise(python_spec("used", SLEEP), user)
    await asyncio.wait_for(supervisor.wait_ready(), 10)
    stopping = asyncio.create_task(supervisor.stop())
    await until((tmp_path / "asked").exists)
    os.kill(supervisor.members["used"].running.pid, signal.SIGKILL)
    await asyncio.wait_for(stopping, 10)
    assert not seen(events, State.RESTARTING)


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
        python_spec("deaf", code, uses=frozenset({"other"}), probe=FileProbe(tmp_path / "deaf"), grace_seconds=30),
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
