"""Deleting: true at once or not at all, before everything else, and with every quote."""

import asyncio

import grpc
import pytest

from docuchat.chat.v1 import source_service_pb2 as chat_pb
from docuchat.chat.v1.source_service_pb2_grpc import SourceServiceServicer, add_SourceServiceServicer_to_server
from docuchat.ingestion.v1 import document_pb2
from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.clients.quote_store import GrpcQuoteStore
from ingestion.model import JobKind
from ingestion.stores.jobs import PostgresJobQueue
from servicekit.errors import AppError, Code
from servicekit.rpc.status import read_error

State = document_pb2.Document
TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()
AWAY = AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "away")
HANGS = AppError(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "no answer")
HIDDEN = AppError(Code.FAILED_PRECONDITION, "DOCUMENT_DELETED", "hidden for good")


async def delete(person, document):
    await person.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))


@pytest.mark.parametrize("failure", [AWAY, HANGS])
async def test_a_delete_that_searches_would_not_notice_is_refused_and_deletes_nothing(stack, failure):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.run_all()
    stack.index.failures = [failure] * 3  # the caller's channel tries three times
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete(ann, document)
    error = read_error(caught.value)
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
    assert await stack.count("jobs") == 0
    assert (await ann.get(document.document_id)).state == State.READY
    await delete(ann, document)
    assert list((await ann.list()).documents) == []


async def test_a_document_is_hidden_before_its_delete_is_answered_and_never_for_who_may_not_delete_it(stack):
    ann, eve = await stack.person(), await stack.person()
    [document] = await ann.upload(TEXT)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete(eve, document)
    assert (read_error(caught.value).reason, stack.index.hidden) == ("DOCUMENT_NOT_FOUND", [])
    await delete(ann, document)
    assert stack.index.hidden == [(ann.tenant_id, document.document_id)]


async def test_within_a_tenant_deletes_are_claimed_first(stack):
    ann = await stack.person()
    [deleted] = await ann.upload(TEXT)
    for _ in range(3):
        await ann.upload(TEXT)
    await delete(ann, deleted)
    queue = PostgresJobQueue(stack.database)
    assert [(await queue.claim(30)).kind for _ in range(4)] == [JobKind.DELETE, *[JobKind.PROCESS] * 3]


async def test_a_delete_does_not_wait_for_long_documents_in_every_lane(stack):
    ann = await stack.person()
    [deleted] = await ann.upload(TEXT)
    await stack.run_all()
    busy = asyncio.Event()

    async def hang(number):
        busy.set()
        await asyncio.sleep(60)

    stack.index.before_confirm = hang
    await ann.upload(TEXT)
    lane = asyncio.ensure_future(stack.runner().run_next())
    await busy.wait()
    await delete(ann, deleted)
    deletes = stack.runner(queue=PostgresJobQueue(stack.database, deletes_only=True))
    assert await deletes.run_next()
    assert await stack.count("documents") == 1
    assert not await deletes.run_next()
    lane.cancel()


async def test_one_tenants_deletes_keep_neither_anothers_delete_nor_anothers_document_waiting(stack):
    pile, small = await stack.person(), await stack.person()
    [first] = await pile.upload(TEXT)
    await delete(pile, first)
    await stack.admin.execute(
        "INSERT INTO ingestion.jobs (tenant_id, kind, document_id, version_id)"
        " SELECT tenant_id, kind, document_id, version_id FROM ingestion.jobs, generate_series(1, 1000)"
    )
    await PostgresJobQueue(stack.database).claim(30)
    [document] = await small.upload(TEXT)
    await small.upload(TEXT)
    await delete(small, document)
    deletes = PostgresJobQueue(stack.database, deletes_only=True)
    claimed = [(await deletes.claim(30)).tenant_id for _ in range(40)]
    assert small.tenant_id in claimed
    job = await PostgresJobQueue(stack.database).claim(30)
    assert (job.tenant_id, job.kind) == (small.tenant_id, JobKind.PROCESS)


async def test_quotes_are_erased_after_the_vectors_and_before_the_file(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.run_all()
    await delete(ann, document)
    stack.quotes.failures = [AWAY] * 4
    for _ in range(4):
        await stack.runner().run_next()
        assert stack.index.deleted
        assert len(await stack.keys()) == 1
        assert await stack.admin.fetchval("SELECT attempts FROM ingestion.jobs") == 0
    await stack.run_all()
    assert stack.quotes.erased == [(ann.tenant_id, document.document_id)]
    assert (await stack.keys(), await stack.count("documents")) == ([], 0)


async def test_the_quotes_of_one_document_of_one_tenant_are_asked_for(rpc, tokens):
    class FakeChat(SourceServiceServicer):
        error = None

        async def EraseQuotes(self, request, context):
            if self.error is not None:
                raise self.error
            self.request = request
            return chat_pb.EraseQuotesResponse(erased_count=2)

    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(2)]
    chat, token = FakeChat(), tokens.issue_service("ingestion")

    def add(server):
        add_SourceServiceServicer_to_server(chat, server)

    async with rpc(name="chat", add_servicers=add, token=token) as channel:
        await GrpcQuoteStore(channel).erase(*ids)
        assert [chat.request.tenant_id, chat.request.document_id] == ids
        chat.error = AWAY
        with pytest.raises(AppError) as caught:
            await GrpcQuoteStore(channel).erase(*ids)
    assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


async def test_a_delete_that_got_no_further_than_the_index_is_finished_by_the_worker(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    stack.index.failures = [HIDDEN] * 3
    await stack.run_all()
    assert list((await ann.list()).documents) == []
    assert (await stack.keys(), await stack.count("documents"), await stack.count("jobs")) == ([], 0, 0)
    assert stack.index.deleted == [(ann.tenant_id, document.document_id)]
