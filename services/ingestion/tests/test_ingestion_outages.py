"""What the worker does when something it needs refuses, hangs, is away for long, or has a full disk."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import pytest

from docuchat.ingestion.v1 import document_pb2
from docuchat.ingestion.v1 import document_service_pb2 as pb
from docuchat.retrieval.v1 import index_service_pb2 as index_pb
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceServicer, add_IndexServiceServicer_to_server
from ingestion.clients.passage_index import GrpcPassageIndex
from ingestion.pipeline.lease import LeaseTimes
from ingestion.pipeline.retry import JobPolicy, backoff_seconds
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.objects import ObstoreObjectStore
from servicekit.errors import AppError, Code
from servicekit.rpc.status import read_error

State = document_pb2.Document
TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()
AWAY = AppError(Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "away")
HANGS = AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "no answer")


class RefusingRetrieval(IndexServiceServicer):
    """Ends every stream of chunks with an error."""

    def __init__(self, error):
        self.error = error
        self.calls = 0

    async def IndexChunks(self, request_iterator, context):
        self.calls += 1
        async for _ in request_iterator:
            raise self.error
        yield index_pb.IndexChunksResponse()


@asynccontextmanager
async def refusing(stack, rpc, error):
    """The stack's worker with a real channel to a retrieval that refuses."""
    retrieval = RefusingRetrieval(error)

    def add(server):
        add_IndexServiceServicer_to_server(retrieval, server)

    async with rpc(name="retrieval", add_servicers=add, token=stack.tokens.issue_service("ingestion")) as channel:
        stack.index = GrpcPassageIndex(channel)
        yield retrieval


@pytest.mark.parametrize(
    ("code", "said", "shown"),
    [
        (Code.FAILED_PRECONDITION, "EMBEDDER_REFUSED", "EMBEDDING_REFUSED"),
        (Code.FAILED_PRECONDITION, "INDEX_REFUSED", "INDEX_REFUSED"),
        (Code.INVALID_ARGUMENT, "INVALID_FIELD", "INDEX_REFUSED"),
    ],
)
async def test_a_refusal_ends_the_document_at_once_and_says_what_to_do(stack, rpc, code, said, shown):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    async with refusing(stack, rpc, AppError(code, said, "no, and not next time")) as retrieval:
        await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.state_reason, retrieval.calls) == (State.FAILED, shown, 1)
    assert "operator" in document.state_message


async def test_a_peer_that_hangs_costs_no_attempt(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [HANGS] * 5
    for _ in range(5):
        assert await stack.runner().run_next()
        assert await stack.admin.fetchval("SELECT attempts FROM ingestion.jobs") == 0
    await stack.run_all()
    assert (await ann.get(document.document_id)).state == State.READY


async def test_an_outage_is_waited_for_longer_each_time_up_to_half_a_minute(stack):
    ann = await stack.person()
    await ann.upload(TEXT)
    stack.index.failures = [AWAY] * 12
    runner, delays = stack.runner(policy=JobPolicy(), chance=random.Random(1)), []
    for _ in range(12):
        await runner.run_next()
        delays.append(await stack.admin.fetchval("SELECT run_after - clock_timestamp() FROM ingestion.jobs"))
        await stack.admin.execute("UPDATE ingestion.jobs SET run_after = now()")
    assert delays[0] < timedelta(seconds=3)
    assert timedelta(seconds=14) < delays[-1] <= timedelta(seconds=30)


async def test_an_outage_of_too_many_hours_fails_the_document_with_its_reason(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [AWAY] * 20
    runner = stack.runner(policy=JobPolicy(first_wait_seconds=1, max_wait_seconds=1, max_outage_seconds=3))
    for _ in range(20):
        await runner.run_next()
        await stack.admin.execute("UPDATE ingestion.jobs SET run_after = now()")
    document = await ann.get(document.document_id)
    assert (document.state, document.state_reason) == (State.FAILED, "OUTAGE_TOO_LONG")
    assert await stack.count("jobs") == 0
    assert 3 <= 20 - len(stack.index.failures) <= 8


async def test_a_delete_waits_for_an_outage_without_end(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))
    await stack.admin.execute("UPDATE ingestion.jobs SET waited_seconds = 1e9")
    stack.index.failures = [AWAY]
    await stack.runner().run_next()
    assert await stack.count("documents") == 1
    await stack.run_all()
    assert await stack.count("documents") == 0


async def test_what_was_confirmed_before_an_outage_is_not_sent_again(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [None] * 5 + [AWAY] * 3
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert (document.state, document.indexed_chunk_count) == (State.READY, document.chunk_count)
    assert stack.index.sent == list(range(document.chunk_count))


async def test_confirmed_points_that_were_lost_meanwhile_are_sent_again(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [None] * 5 + [AWAY]
    await stack.runner().run_next()
    stack.index.points.clear()
    await stack.run_all()
    document = await ann.get(document.document_id)
    assert document.state == State.READY
    assert len(stack.index.points[document.version_id]) == document.chunk_count


async def test_a_full_scratch_disk_fails_no_document_and_work_goes_on_when_there_is_room(stack, small_disk, disk_tools):
    fill, clear = disk_tools
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.scratch = small_disk
    fill(small_disk)
    for _ in range(5):
        assert await stack.runner().run_next()
    job = await stack.admin.fetchrow("SELECT attempts, last_error FROM ingestion.jobs")
    assert (job["attempts"], job["last_error"]) == (0, "STORAGE_FULL")
    assert (await ann.get(document.document_id)).state == State.PARSING
    clear(small_disk)
    await stack.run_all()
    assert (await ann.get(document.document_id)).state == State.READY
    assert list(small_disk.iterdir()) == []


async def test_a_full_object_store_refuses_uploads_and_goes_on_reading(stack, small_disk, disk_tools):
    fill, clear = disk_tools
    ann = await stack.person()
    full = ObstoreObjectStore.connect(f"file://{small_disk}")
    stack.objects._store = full._store
    [kept] = await ann.upload(TEXT)
    fill(small_disk)
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ann.upload(b"x" * 90_000)
        error = read_error(caught.value)
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        assert [document.document_id for document in (await ann.list()).documents] == [kept.document_id]
    call = ann.documents.GetDocumentContent(pb.GetDocumentContentRequest(document_id=kept.document_id))
    assert b"".join([frame.data async for frame in call]) == TEXT
    files = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert sorted(files) == ["filling", "raw"]
    clear(small_disk)
    assert await ann.upload(b"x" * 90_000)


def test_a_delete_that_failed_a_thousand_times_still_knows_how_long_to_wait():
    assert 0 <= backoff_seconds(JobPolicy(), 5000, random.Random(1)) <= 60


async def test_a_lane_outlives_a_job_that_cannot_be_settled(stack):
    class Broken(PostgresJobQueue):
        failures = 1

        async def release(self, job, **values):
            if self.failures:
                self.failures -= 1
                raise RuntimeError("unforeseen")
            return await super().release(job, **values)

    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [AWAY]
    stop, times = asyncio.Event(), LeaseTimes(lease_seconds=0.3, heartbeat_seconds=0.1)
    lane = asyncio.ensure_future(stack.runner(queue=Broken(stack.database), times=times).run_until(stop, 0.02))
    async with asyncio.timeout(10):
        while not lane.done() and (await ann.get(document.document_id)).state != State.READY:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await lane
