"""Signs of life: where every replica sees them, and where the launcher does."""

import os

import pytest

from ingestion.server import check_workers
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.presence import announce
from ingestion.stores.workers import PostgresWorkerRegistry
from ingestion.worker import beat, free_jobs_of_the_dead, sign_off
from servicekit.errors import DependencyUnavailable

TEXT = b"The quick brown fox jumps over the lazy dog."


async def age(stack, seconds):
    await stack.admin.execute("UPDATE ingestion.workers SET beat_time = now() - make_interval(secs => $1)", seconds)


async def test_without_a_worker_that_beats_the_check_finds_none(stack):
    registry = PostgresWorkerRegistry(stack.database)
    assert not (await check_workers(registry)).is_serving
    await registry.beat("one")
    assert (await check_workers(registry)).is_serving
    await age(stack, 5.0)
    assert not (await check_workers(registry)).is_serving
    await registry.beat("another")
    assert (await check_workers(registry)).is_serving


async def test_the_check_says_how_long_the_oldest_due_job_of_any_tenant_has_waited(stack):
    registry = PostgresWorkerRegistry(stack.database)
    assert (await check_workers(registry)).oldest_due_job_seconds == 0
    for _ in range(2):
        await (await stack.person()).upload(TEXT)
    await stack.admin.execute("UPDATE ingestion.jobs SET run_after = now() + interval '1 hour'")
    assert (await check_workers(registry)).oldest_due_job_seconds == 0
    await stack.admin.execute(
        "UPDATE ingestion.jobs SET run_after = now() - interval '90 s' WHERE job_id = (SELECT max(job_id)"
        " FROM ingestion.jobs)"
    )
    finding = await check_workers(registry)
    assert (finding.is_serving, finding.oldest_due_job_seconds) == (False, 90)
    await PostgresJobQueue(stack.database).claim(30)
    assert (await check_workers(registry)).oldest_due_job_seconds == 0


async def test_a_worker_that_ends_and_one_that_was_killed_leave_no_row(stack, tmp_path):
    registry = PostgresWorkerRegistry(stack.database)
    with announce(tmp_path) as dead:
        await registry.beat(dead)
    await registry.beat("ends")
    await free_jobs_of_the_dead(PostgresJobQueue(stack.database), tmp_path)
    assert [row["name"] for row in await stack.admin.fetch("SELECT name FROM ingestion.workers")] == ["ends"]
    await sign_off(registry, "ends")
    assert await stack.count("workers") == 0


async def test_a_worker_ends_though_the_database_is_away():
    class Away:
        async def forget(self, names):
            raise DependencyUnavailable("postgresql")

    await sign_off(Away(), "name")


async def test_the_heartbeat_names_its_process_also_on_a_full_disk(small_disk, disk_tools):
    fill, _ = disk_tools
    path = small_disk / "worker.heartbeat"
    path.write_text("123456789\n")
    fill(small_disk)
    os.utime(path, (0, 0))
    await beat(path)
    assert int(path.read_text()) == os.getpid()
    assert path.stat().st_mtime > 0


async def test_a_heartbeat_makes_its_file(tmp_path):
    await beat(tmp_path / "worker.heartbeat")
    assert (tmp_path / "worker.heartbeat").read_text().strip() == str(os.getpid())
    with pytest.raises(FileNotFoundError):
        await beat(tmp_path / "nowhere/worker.heartbeat")
