"""Which workers live, by their locks, and what becomes of the jobs of the dead."""

import asyncio
import signal
import sys

import pytest

from docuchat.ingestion.v1 import document_pb2
from ingestion.errors import LeaseLost
from ingestion.model import DocumentState
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.presence import announce, find_dead, forget
from ingestion.stores.work import PostgresWorkStore
from ingestion.worker import free_jobs_of_the_dead
from servicekit.errors import DependencyUnavailable

TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()
HOLD = """
import sys, time, pathlib
from ingestion.stores.presence import announce
with announce(pathlib.Path(sys.argv[1])) as name:
    print(name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def workers(tmp_path):
    return tmp_path / "workers"


def test_a_name_is_alive_until_its_block_ends_and_dead_until_it_is_forgotten(workers):
    with announce(workers) as first, announce(workers) as second:
        assert first != second
        assert find_dead(workers) == []
    assert find_dead(workers) == sorted([first, second])
    forget(workers, [first, second, "never there"])
    assert list(workers.iterdir()) == []


async def test_a_killed_process_is_dead_and_a_stopped_one_is_not(workers):
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(workers), stdout=asyncio.subprocess.PIPE
    )
    name = (await asyncio.wait_for(holder.stdout.readline(), 20)).decode().strip()
    holder.send_signal(signal.SIGSTOP)
    assert find_dead(workers) == []
    holder.kill()
    await holder.wait()
    assert find_dead(workers) == [name]


def test_a_name_that_is_being_made_is_nobodys(workers):
    workers.mkdir()
    (workers / ".unfinished").touch()
    assert find_dead(workers) == []


def test_a_name_that_another_worker_forgets_meanwhile_is_left_out(workers, monkeypatch):
    workers.mkdir()
    (workers / "gone").touch()
    listed = list(workers.iterdir())
    (workers / "gone").unlink()
    monkeypatch.setattr(type(workers), "iterdir", lambda self: iter(listed))
    assert find_dead(workers) == []


async def test_the_job_of_a_dead_worker_is_free_at_once_and_its_writes_are_refused(stack, workers):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    with announce(workers) as dead:
        job = await PostgresJobQueue(stack.database, dead).claim(30)
    with announce(workers) as name:
        queue = PostgresJobQueue(stack.database, name)
        assert await queue.claim(30) is None
        await free_jobs_of_the_dead(queue, workers)
        assert list(workers.iterdir()) == [workers / name]
        again = await queue.claim(30)
    assert (again.job_id, again.fence, again.lost_leases) == (job.job_id, job.fence + 1, 1)
    with pytest.raises(LeaseLost):
        await PostgresWorkStore(stack.database).enter(job, DocumentState.PARSING)
    assert (await ann.get(document.document_id)).state == document_pb2.Document.UPLOADED


async def test_the_jobs_of_living_workers_stay_with_them(stack, workers):
    ann = await stack.person()
    await ann.upload(TEXT)
    with announce(workers) as living, announce(workers) as name:
        queue = PostgresJobQueue(stack.database, living)
        job = await queue.claim(30)
        rival = PostgresJobQueue(stack.database, name)
        await free_jobs_of_the_dead(rival, workers)
        assert await rival.end_leases(["somebody else"]) == 0
        assert await rival.claim(30) is None
        assert await queue.renew(job, 30)


async def test_a_job_put_back_for_later_is_not_brought_forward(stack, workers):
    ann = await stack.person()
    await ann.upload(TEXT)
    with announce(workers) as dead:
        queue = PostgresJobQueue(stack.database, dead)
        await queue.release(await queue.claim(30), delay_seconds=60, error="x")
    await free_jobs_of_the_dead(queue, workers)
    assert await queue.claim(30) is None


async def test_the_dead_are_remembered_while_the_database_is_away(workers, logs):
    class Away:
        async def end_leases(self, holders):
            raise DependencyUnavailable("postgresql")

    with announce(workers) as dead:
        pass
    await free_jobs_of_the_dead(Away(), workers)
    assert find_dead(workers) == [dead]
    assert "jobs of dead workers wait for their leases" in [event["event"] for event in logs]
