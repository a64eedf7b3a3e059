"""PostgreSQL under the supervisor: real server, real passwords."""

import asyncio
import os
import signal
import stat

import asyncpg
import pytest

from launcher import postgres
from launcher.plan import find_free_ports
from launcher.spec import State
from launcher.supervisor import Supervisor

PASSWORD = "a password for tests"


@pytest.fixture
async def server(home):
    postgres.create_cluster(home.postgres, PASSWORD)
    port = find_free_ports(1)[0]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    events = []
    supervisor = Supervisor([postgres.build_spec(home.postgres, PASSWORD, port, environment)], home.logs, events.append)
    supervisor.start()
    await asyncio.wait_for(supervisor.wait_ready(), 20)
    yield supervisor, port, events
    await supervisor.stop()


async def test_only_the_password_opens_it(server):
    _, port, _ = server
    connection = await asyncpg.connect(postgres.build_dsn("a%20password%20for%20tests", port, "postgres"))
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.build_dsn("wrong", port, "postgres"))


async def test_it_comes_back_with_its_data_after_kill_9(server, eventually):
    supervisor, port, events = server
    dsn = postgres.build_dsn("a%20password%20for%20tests", port, "postgres")
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.terminate()
    os.kill(supervisor.members["postgres"].running.pid, signal.SIGKILL)
    await asyncio.to_thread(eventually, lambda: [event.state for event in events].count(State.READY) == 2)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


def test_a_folder_of_another_version_is_refused_with_advice(home):
    home.postgres.mkdir()
    (home.postgres / "PG_VERSION").write_text("16\n")
    with pytest.raises(postgres.PostgresSetupError, match=r"made by PostgreSQL 16.*DOCUCHAT_HOME"):
        postgres.create_cluster(home.postgres, PASSWORD)


def test_a_folder_that_is_no_cluster_is_not_touched(home):
    home.postgres.mkdir()
    (home.postgres / "stranger").touch()
    with pytest.raises(postgres.PostgresSetupError, match="DOCUCHAT_HOME"):
        postgres.create_cluster(home.postgres, PASSWORD)
    assert [path.name for path in home.postgres.iterdir()] == ["stranger"]


def test_a_start_that_was_interrupted_is_begun_anew(home):
    half = home.root / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    postgres.create_cluster(home.postgres, PASSWORD)
    assert (home.postgres / "global" / "pg_control").exists()
    assert not half.exists()


def test_a_closed_folder_above_is_opened_for_passing_only_and_named(tmp_path):
    closed = tmp_path / "closed"
    (closed / "home").mkdir(parents=True)
    closed.chmod(0o700)
    assert closed in postgres._let_pass(closed / "home" / "postgres")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert closed not in postgres._let_pass(closed / "home" / "postgres")
