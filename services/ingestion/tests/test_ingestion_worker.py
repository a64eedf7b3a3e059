"""The worker on a real database: states, retries, leases, fences and fairness; parser and index are fakes."""

import asyncio
import random
from datetime import timedelta

import pytest

from docuchat.ingestion.v1 import document_pb2
from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.errors import LeaseLost
from ingestion.model import DocumentState
from ingestion.pipeline.lease import LeaseTimes
from ingestion.pipeline.retry import JobPolicy
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.work import PostgresWorkStore
from ingestion.text import FailureReason, ParseFailure
from servicekit.errors import AppError, Code

State = document_pb2.Document
TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()
AWAY = AppError(Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "away")


async def test_a_document_becomes_ready_with_its_counts(stack):
    ann = await stack.person()
    [uploaded] = await ann.upload(TEXT, "fox.txt")
    await stack.run_all()
    document = await ann.get(uploaded.document_id)
    assert document.state == State.READY
    assert document.chunk_count == document.indexed_chunk_count == len(stack.index.points[document.version_id]) > 10
    assert document.character_count == len(TEXT.decode())
    assert (document.token_count, document.language, document.title) == (180, "en", "fox.txt")
    assert document.process_time.ToNanoseconds() > document.create_time.ToNanoseconds()
    assert stack.index.active == {document.document_id: document.version_id}
    [version] = stack.index.versions
    assert version.private_to_user_id == ann.user_id
    assert await stack.count("jobs") == 0
    assert list(stack.scratch.iterdir()) == []


async def test_every_state_on_the_way_can_be_seen(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    seen = []

    class Watched(PostgresWorkStore):
        async def enter(self, job, state):
            await super().enter(job, state)
            seen.append(State.State.Name((await ann.get(document.document_id)).state))

    work = Watched(stack.database)
    runner = stack.runner(work=work)
    await runner.run_next()
    assert seen == ["PARSING", "CHUNKING", "INDEXING"]
    assert (await ann.get(document.document_id)).state == State.READY


async def test_a_file_without_text_ends_as_no_text(stack):
    ann = await stack.person()
    [document] = await ann.upload(b" \n\t\n ")
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.chunk_count) == (State.NO_TEXT, 0)
    assert document.HasField("process_time")
    assert stack.index.versions == []


@pytest.mark.parametrize("reason", [FailureReason.ENCRYPTED, FailureReason.TOO_MANY_PAGES])
async def test_what_the_file_is_to_blame_for_fails_at_once(stack, reason):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.parser.failures = [ParseFailure(reason, "A sentence that helps.")]
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.state_reason) == (State.FAILED, reason.value)
    assert document.state_message == "A sentence that helps."
    assert stack.parser.calls == 1
    assert await stack.count("jobs") == 0


async def test_a_parse_that_reaches_its_limits_may_try_again(stack):
    ann = await stack.person()
    limit = ParseFailure(FailureReason.PARSE_LIMIT, "Too slow.")
    [first], [second] = await ann.upload(TEXT), await ann.upload(TEXT)
    stack.parser.failures = [limit] * 3
    runner = stack.runner()
    for _ in range(3):
        await stack.admin.execute(
            "UPDATE ingestion.jobs SET run_after = 'infinity' WHERE document_id = $1", second.document_id
        )
        assert await runner.run_next()
    first = await ann.get(first.document_id)
    assert (first.state, first.state_reason) == (State.FAILED, "PARSE_LIMIT")
    stack.parser.failures = [limit, limit]
    await stack.admin.execute("UPDATE ingestion.jobs SET run_after = now()")
    await stack.run_all()
    assert (await ann.get(second.document_id)).state == State.READY


async def test_a_document_that_fails_three_times_is_given_up_without_its_details(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.parser.failures = [RuntimeError("secret of the document")] * 3
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.state_reason) == (State.FAILED, "PROCESSING_FAILED")
    assert "secret" not in str(document)
    assert stack.parser.calls == 3


async def test_retries_wait_longer_each_time_and_keep_no_text_of_the_error(stack):
    ann = await stack.person()
    await ann.upload(TEXT)
    stack.parser.failures = [RuntimeError("secret")]
    runner = stack.runner(policy=JobPolicy(first_delay_seconds=100, max_delay_seconds=1000), chance=random.Random(3))
    await stack.run_all(runner)
    row = await stack.admin.fetchrow("SELECT *, run_after - clock_timestamp() AS delay FROM ingestion.jobs")
    assert (row["state"], row["attempts"], row["last_error"], row["lease_until"]) == ("QUEUED", 1, "RuntimeError", None)
    assert timedelta(0) < row["delay"] < timedelta(seconds=100)


async def test_an_index_that_is_away_costs_no_attempt_and_no_second_parse(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [AWAY] * 10 + [None, None, AWAY]
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert document.state == State.READY
    assert stack.parser.calls == 1
    assert len(stack.index.points[document.version_id]) == document.chunk_count


async def test_a_crash_before_or_after_any_write_is_made_good(stack):
    ann = await stack.person()
    chunks = 0
    for step in ("load", "load_chunked", "enter", "store_chunked", "record_progress", "finish"):
        [document] = await ann.upload(TEXT)
        await crash(stack, step, after=False)
        await crash(stack, step, after=True)
        await stack.run_all()
        document = await ann.get(document.document_id)
        assert document.state == State.READY, step
        assert len(stack.index.points[document.version_id]) == document.chunk_count, step
        chunks += document.chunk_count
        assert await stack.count("chunks") == chunks, step
        assert await stack.count("jobs") == 0, step


async def crash(stack, step, *, after):
    """Runs a worker that dies like kill -9 at a step: nothing is released, the lease just ends."""

    class Killed(BaseException):
        pass

    class Crashing(PostgresWorkStore):
        def __getattribute__(self, name):
            found = super().__getattribute__(name)
            if name != step:
                return found

            async def die(*arguments, **keywords):
                if after:
                    await found(*arguments, **keywords)
                raise Killed

            return die

    runner = stack.runner(work=Crashing(stack.database))
    job = await runner.queue.claim(0)
    if job is None:
        return
    with pytest.raises(Killed):
        await runner.processor.process(job)


async def test_a_worker_that_slept_past_its_lease_changes_nothing(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    queue, work = PostgresJobQueue(stack.database), PostgresWorkStore(stack.database)
    old = await queue.claim(0)
    new = await queue.claim(30)
    assert new.job_id == old.job_id
    assert new.fence > old.fence
    assert new.lost_leases == 1
    assert not await queue.renew(old, 30)
    assert not await queue.release(old, delay_seconds=0, error="")
    for write in (
        work.load(old),
        work.enter(old, DocumentState.PARSING),
        work.record_progress(old, 5),
        work.finish(old, DocumentState.READY),
        work.remove_document(old),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert (await ann.get(document.document_id)).state == State.UPLOADED
    assert await queue.renew(new, 30)


async def test_the_work_stops_when_its_lease_is_taken(stack):
    ann = await stack.person()
    await ann.upload(TEXT)
    stopped = asyncio.Event()

    async def hang(number):
        await stack.admin.execute("UPDATE ingestion.jobs SET fence = fence + 1")
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    stack.index.before_confirm = hang
    runner = stack.runner(times=LeaseTimes(lease_seconds=30, heartbeat_seconds=0.05))
    assert await asyncio.wait_for(runner.run_next(), 5)
    assert stopped.is_set()
    assert await stack.admin.fetchval("SELECT state FROM ingestion.jobs") == "RUNNING"


async def test_a_heartbeat_keeps_a_job_longer_than_its_lease(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    rival = PostgresJobQueue(stack.database)
    claims = []

    async def slowly(number):
        if number == 0:
            await stack.admin.execute("UPDATE ingestion.jobs SET lease_until = clock_timestamp()")
            async with asyncio.timeout(10):
                while not await stack.admin.fetchval("SELECT lease_until > clock_timestamp() FROM ingestion.jobs"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            claims.append(await rival.claim(30))

    stack.index.before_confirm = slowly
    await stack.run_all(stack.runner(times=LeaseTimes(lease_seconds=30, heartbeat_seconds=0.02)))
    assert claims == [None]
    assert (await ann.get(document.document_id)).state == State.READY


async def test_a_file_that_takes_every_worker_down_is_given_up(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    queue = PostgresJobQueue(stack.database)
    for _ in range(11):
        assert await queue.claim(0)
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.state_reason) == (State.FAILED, "PROCESSING_FAILED")
    assert stack.parser.calls == 0


async def test_a_stopped_worker_puts_its_job_back_for_the_next(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    began = asyncio.Event()

    async def hang(number):
        began.set()
        await asyncio.sleep(60)

    stack.index.before_confirm = hang
    stop = asyncio.Event()
    lane = asyncio.ensure_future(stack.runner().run_until(stop, 0.05))
    await began.wait()
    stop.set()
    lane.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lane
    row = await stack.admin.fetchrow("SELECT state, attempts, lease_until FROM ingestion.jobs")
    assert (row["state"], row["attempts"], row["lease_until"]) == ("QUEUED", 0, None)
    stack.index.before_confirm = None
    await stack.run_all()
    assert (await ann.get(document.document_id)).state == State.READY


async def test_a_lane_outlives_a_database_that_is_away(stack):
    class Flickering(PostgresJobQueue):
        failures = 2

        async def claim(self, lease_seconds):
            if self.failures:
                self.failures -= 1
                raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "postgresql")
            return await super().claim(lease_seconds)

    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stop = asyncio.Event()
    lane = asyncio.ensure_future(stack.runner(queue=Flickering(stack.database)).run_until(stop, 0.01))
    async with asyncio.timeout(10):
        while (await ann.get(document.document_id)).state != State.READY:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
    stop.set()
    await lane


class Reluctant(PostgresJobQueue):
    """A queue that cannot be reached where a job is to be given back."""

    async def release(self, job, **values):
        raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "postgresql")


async def test_a_job_that_cannot_be_given_back_comes_back_when_its_lease_ends(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    began = asyncio.Event()

    async def hang(number):
        began.set()
        await asyncio.sleep(60)

    stack.index.before_confirm = hang
    times = LeaseTimes(lease_seconds=30, heartbeat_seconds=0.1)
    lane = asyncio.ensure_future(stack.runner(queue=Reluctant(stack.database), times=times).run_next())
    await began.wait()
    lane.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lane
    stack.index.before_confirm = None
    assert not await stack.runner().run_next()
    await stack.admin.execute("UPDATE ingestion.jobs SET lease_until = now()")
    await stack.run_all()
    assert (await ann.get(document.document_id)).state == State.READY


@pytest.mark.parametrize(("refusals", "queued"), [(2, 1), (1000, 0)])
async def test_giving_a_job_back_is_tried_for_as_long_as_the_lease_would_hold_it(stack, monkeypatch, refusals, queued):
    """A database that restarts takes index and queue away together; its return must not cost a whole lease."""
    monkeypatch.setattr("ingestion.pipeline.run_jobs.RELEASE_AGAIN_SECONDS", 0.01)

    class Restarting(PostgresJobQueue):
        left = refusals

        async def release(self, job, **values):
            self.left -= 1
            if self.left >= 0:
                raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "postgresql")
            return await super().release(job, **values)

    ann = await stack.person()
    await ann.upload(TEXT)
    stack.index.failures = [AWAY]
    times = LeaseTimes(lease_seconds=1.0, heartbeat_seconds=0.1)
    runner = stack.runner(queue=Restarting(stack.database), times=times)
    assert await runner._try_next() is bool(queued)
    assert await stack.admin.fetchval("SELECT count(*) FROM ingestion.jobs WHERE state = 'QUEUED'") == queued


async def test_a_lease_that_cannot_be_renewed_in_time_stops_the_work(stack):
    class Deaf(PostgresJobQueue):
        calls = 0

        async def renew(self, job, lease_seconds):
            self.calls += 1
            if self.calls == 1:
                raise AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "postgresql")
            await asyncio.sleep(60)

    ann = await stack.person()
    await ann.upload(TEXT)
    stopped = asyncio.Event()

    async def hang(number):
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    stack.index.before_confirm = hang
    queue, times = Deaf(stack.database), LeaseTimes(lease_seconds=0.6, heartbeat_seconds=0.1)
    assert await asyncio.wait_for(stack.runner(queue=queue, times=times).run_next(), 5)
    assert stopped.is_set()
    assert queue.calls == 2


async def test_a_job_that_is_lost_while_it_fails_is_left_alone(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)

    class Usurped(PostgresWorkStore):
        async def finish(self, job, state, **values):
            raise LeaseLost

    stack.parser.failures = [ParseFailure(FailureReason.CORRUPT, "Broken.")]
    assert await stack.runner(work=Usurped(stack.database)).run_next()
    assert (await ann.get(document.document_id)).state == State.PARSING


async def test_two_workers_never_run_the_same_job(stack):
    ann = await stack.person()
    for number in range(6):
        await ann.upload(TEXT + str(number).encode())
    await asyncio.gather(*(stack.run_all() for _ in range(3)))
    assert stack.parser.calls == 6
    assert {document.state for document in (await ann.list()).documents} == {State.READY}


async def test_one_tenants_pile_does_not_keep_another_waiting(stack):
    pile, small = await stack.person(), await stack.person()
    [first] = await pile.upload(TEXT)
    await stack.admin.execute(
        "INSERT INTO ingestion.jobs (tenant_id, kind, document_id, version_id)"
        " SELECT tenant_id, kind, document_id, version_id FROM ingestion.jobs, generate_series(1, 10000)"
    )
    queue = PostgresJobQueue(stack.database)
    await queue.claim(30)
    await small.upload(TEXT)
    turns = [(await queue.claim(30)).tenant_id for _ in range(3)]
    assert turns[0] == small.tenant_id
    assert turns[1:] == [pile.tenant_id] * 2
    assert first


async def test_deleting_hides_at_once_and_removes_everything(stack):
    ann = await stack.person()
    [kept], [document] = await ann.upload(TEXT), await ann.upload(TEXT)
    await stack.run_all()
    await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))
    assert stack.index.hidden == [(ann.tenant_id, document.document_id)]
    assert [each.document_id for each in (await ann.list()).documents] == [kept.document_id]
    await stack.run_all()
    assert [document.document_id in key for key in await stack.keys()] == [False]
    for table, left in (
        ("documents", 1),
        ("versions", 1),
        ("text_segments", 1),
        ("chunks", kept_chunks(stack)),
        ("jobs", 0),
    ):
        assert await stack.count(table) == left, table


def kept_chunks(stack):
    return min(len(points) for points in stack.index.points.values())


async def test_a_delete_is_never_given_up(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))
    stack.index.failures = [RuntimeError("broken")] * 7
    await stack.run_all()
    assert await stack.count("documents") == 0


async def test_deleting_while_it_is_being_processed_stops_the_work(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)

    async def delete_meanwhile(number):
        if number == 3:
            await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))

    stack.index.before_confirm = delete_meanwhile
    await stack.run_all()
    assert stack.index.active == {}
    assert await stack.count("documents") == 0
    assert await stack.keys() == []


async def test_the_stream_to_the_index_is_closed_before_a_lost_job_is_left(stack):
    ann = await stack.person()
    await ann.upload(TEXT)
    closed = []
    index = stack.index.index

    async def watched(version, chunked):
        try:
            async for count in index(version, chunked):
                yield count
        finally:
            closed.append(True)

    class Lost(PostgresWorkStore):
        async def record_progress(self, job, indexed_count):
            raise LeaseLost

    stack.index.index = watched
    runner = stack.runner(work=Lost(stack.database))
    job = await runner.queue.claim(30)
    with pytest.raises(LeaseLost) as caught:
        await runner.processor.process(job)
    assert closed == [True], caught.value  # the error keeps the frames, and so a stream that nobody closed
