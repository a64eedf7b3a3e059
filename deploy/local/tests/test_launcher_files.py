"""Keys, lock, state file, settings and paths."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys

import psutil
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from launcher.home import AlreadyRunningError, Home, hold_lock
from launcher.keys import load_keys
from launcher.settings import SettingError, check_port_is_free, read_settings
from launcher.state import ProcessRecord, StateFile, end_leftovers, is_alive, read_state, write_state
from launcher.supervisor import Member


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_made_once_and_are_nobody_elses_business(home):
    keys = load_keys(home)
    assert load_keys(home) == keys
    assert load_pem_private_key(keys.signing_key_file.read_bytes(), None).sign(b"x")
    assert {mode(path) for path in home.secrets.iterdir()} == {0o600}
    assert mode(home.secrets) == 0o700
    assert len(set(keys.owner_passwords.values()) | set(keys.application_passwords.values())) == 8


def test_a_home_of_an_earlier_release_gets_the_secrets_it_lacks_and_keeps_the_others(home):
    keys = load_keys(home)
    path = home.secrets / "passwords.json"
    earlier = json.loads(path.read_bytes())
    earlier["service_secrets"] = {"ingestion": keys.service_secrets["ingestion"]}
    path.write_text(json.dumps(earlier))
    completed = load_keys(home)
    assert set(completed.service_secrets) == {"ingestion", "retrieval", "chat"}
    assert completed.service_secrets["ingestion"] == keys.service_secrets["ingestion"]
    assert completed.postgres_password == keys.postgres_password
    assert load_keys(home) == completed
    assert mode(path) == 0o600


def test_two_homes_have_different_keys(tmp_path):
    homes = [Home(tmp_path / name) for name in "ab"]
    for home in homes:
        home.create()
    assert load_keys(homes[0]).postgres_password != load_keys(homes[1]).postgres_password


def test_a_second_launcher_on_the_same_home_is_refused_with_a_sentence(home):
    with hold_lock(home), pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"), hold_lock(home):
        pass
    with hold_lock(home):
        pass


def test_a_long_home_still_has_short_sockets(tmp_path):
    assert Home(tmp_path).socket("engine") == tmp_path / "run" / "engine.sock"
    long = Home(tmp_path / ("x" * 120)).socket("engine")
    assert len(os.fsencode(long)) < 100
    assert long != Home(tmp_path / ("y" * 120)).socket("engine")


def record(pid, created):
    return ProcessRecord("sleeper", "ready", pid, created, "", 0)


def test_leftovers_are_ended_and_strangers_with_the_same_pid_are_not():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    created = psutil.Process(sleeper.pid).create_time()
    assert end_leftovers([record(sleeper.pid, created - 100)]) == []
    assert sleeper.poll() is None
    assert end_leftovers([record(sleeper.pid, created), record(None, None)]) == ["sleeper"]
    assert sleeper.wait(5) != 0
    assert not is_alive(record(sleeper.pid, created))


def test_the_state_file_comes_back_as_it_was(home, python_spec):
    write_state(home.state, "http://x", {"a": Member(python_spec("a", "pass", address="here"))})
    state = read_state(home.state)
    assert is_alive(state.launcher)
    assert [(process.name, process.state, process.address) for process in state.processes] == [("a", "waiting", "here")]
    assert json.loads(home.state.read_text())["launcher"]["pid"] == os.getpid()


def test_no_state_file_means_no_stack(home):
    assert read_state(home.state) is None


def test_settings_come_from_the_environment_before_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("DOCUCHAT_PORT=1234\nOPENAI_API_KEY=from-file\nEDITOR=vi\nGEMINI_API_KEY=\n")
    settings = read_settings({"DOCUCHAT_PORT": "4321", "GITHUB_TOKEN": "x"}, tmp_path)
    assert (settings.port, settings.home) == (4321, tmp_path / ".docuchat")
    assert settings.passed_on == {"OPENAI_API_KEY": "from-file", "DOCUCHAT_PORT": "4321"}
    assert "from-file" not in repr(settings)


@pytest.mark.parametrize("port", ["0", "70000", "http", "-1"])
def test_a_port_that_is_none_is_refused_by_name(tmp_path, port):
    with pytest.raises(SettingError, match="DOCUCHAT_PORT"):
        read_settings({"DOCUCHAT_PORT": port}, tmp_path)


def test_a_taken_port_is_refused_with_the_setting_to_change():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingError, match="Set DOCUCHAT_PORT"):
            check_port_is_free(taken.getsockname()[1])


async def test_a_state_file_that_cannot_be_written_ends_nothing_and_is_written_later(home, python_spec, eventually):
    members, said = {"a": Member(python_spec("a", "pass"))}, []
    state = StateFile(home.state, "http://x", members, said.append)
    home.state.parent.rename(home.root / "away")
    state.update()
    state.update()
    assert ([home.state.name in line for line in said], home.state.exists()) == ([True], False)
    keeping = asyncio.create_task(state.keep())
    (home.root / "away").rename(home.state.parent)
    await asyncio.to_thread(eventually, home.state.exists)
    assert [process.name for process in read_state(home.state).processes] == ["a"]
    keeping.cancel()
