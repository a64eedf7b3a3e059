"""Erasing a user or a tenant from ingestion: documents, what they lead to, files; and nothing of others."""

import pytest
import pytest_asyncio

from docuchat.common.v1 import erasure_service_pb2 as pb
from docuchat.common.v1.erasure_service_pb2_grpc import ErasureServiceStub
from docuchat.ingestion.v1 import collection_pb2, collection_service_pb2
from ingestion.pipeline import erase
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.identity import Role
from servicekit.rpc.client import open_channel
from servicekit.rpc.status import ask

TABLES = ("documents", "versions", "text_segments", "chunks", "jobs", "collections", "turns")
TEXT = b"One two three. " * 30


@pytest_asyncio.fixture
async def erasures(stack):
    """The stub that auth has."""

    async def identity():
        return stack.tokens.issue_service("auth")

    async with open_channel(stack.address, identity=identity) as channel:
        yield ErasureServiceStub(channel)


async def erase_user(erasures, person):
    return read(await ask(erasures.EraseUser(pb.EraseUserRequest(user_id=person.user_id))))


async def erase_tenant(erasures, tenant_id):
    return read(await ask(erasures.EraseTenant(pb.EraseTenantRequest(tenant_id=tenant_id))))


def read(answer):
    return {each.kind: each.count for each in answer.counts}, answer.is_complete


async def share(person):
    request = collection_service_pb2.CreateCollectionRequest(
        display_name="Shared", visibility=collection_pb2.Collection.TENANT
    )
    return (await person.collections.CreateCollection(request)).collection.collection_id


async def test_of_a_user_goes_what_is_the_users_alone_in_every_tenant(stack, erasures):
    ann, bob = await stack.person(role=Role.ADMIN), await stack.person()
    shared = await share(ann)
    (kept,) = await ann.upload(TEXT, collection_id=shared)
    (gone,) = await ann.upload(TEXT)
    (foreign,) = await bob.upload(TEXT)
    await stack.run_all()
    counts, is_complete = await erase_user(erasures, ann)
    assert is_complete
    assert counts == {"documents": 1, "versions": 1, "chunks": gone_chunks(counts), "files": 1, "collections": 1}
    assert [row["document_id"] for row in await rows(stack, "documents")] == sorted(
        [kept.document_id, foreign.document_id]
    )
    assert [key.split("/")[1] for key in await stack.keys()].count(gone.document_id) == 0
    assert len(await stack.keys()) == 2
    assert stack.index.deleted == [(ann.tenant_id, gone.document_id)]
    assert await erase_user(erasures, ann) == ({}, True)


def gone_chunks(counts):
    assert counts["chunks"] > 1
    return counts["chunks"]


async def rows(stack, table):
    return await stack.admin.fetch(f"SELECT {table[:-1]}_id::text FROM ingestion.{table} ORDER BY 1")


async def test_of_a_tenant_goes_everything_and_of_others_nothing(stack, erasures):
    ann, bob = await stack.person(role=Role.ADMIN), await stack.person()
    colleague = await stack.person(ann.tenant_id)
    await ann.upload(TEXT, collection_id=await share(ann))
    await colleague.upload(TEXT)
    (foreign,) = await bob.upload(TEXT)
    await stack.objects.put(f"incoming/{ann.tenant_id}/half/done", content(b"x"))
    counts, is_complete = await erase_tenant(erasures, ann.tenant_id)
    assert is_complete
    assert counts == {"documents": 2, "versions": 2, "jobs": 2, "files": 3, "collections": 2}
    assert len(stack.index.hidden) == 2
    for table in TABLES:
        left = await stack.admin.fetchval(f"SELECT count(*) FROM ingestion.{table} WHERE tenant_id = $1", ann.tenant_id)
        assert left == 0, table
    assert [row["document_id"] for row in await rows(stack, "documents")] == [foreign.document_id]
    assert all(key.startswith(bob.tenant_id) for key in await stack.keys())
    assert await erase_tenant(erasures, ann.tenant_id) == ({}, True)


async def content(data):
    yield data


async def test_a_call_does_a_bounded_part_and_the_next_goes_on(stack, erasures, monkeypatch):
    monkeypatch.setattr(erase, "BATCH", 2)
    ann = await stack.person()
    for _ in range(3):
        await ann.upload(TEXT)
    calls = [await erase_user(erasures, ann) for _ in range(3)]
    assert [(counts.get("documents", 0), is_complete) for counts, is_complete in calls] == [
        (2, False),
        (1, True),
        (0, True),
    ]


async def test_where_the_index_is_away_nothing_of_a_document_is_lost_and_the_next_call_goes_on(stack, erasures):
    ann = await stack.person()
    await ann.upload(TEXT)
    # As often as the channel tries by itself.
    stack.index.failures = [DependencyUnavailable("retrieval")] * 3
    with pytest.raises(AppError):
        await erase_user(erasures, ann)
    assert await stack.count("documents") == 1
    stack.index.failures = []
    counts, is_complete = await erase_user(erasures, ann)
    assert (counts["documents"], is_complete) == (1, True)


async def test_a_worker_that_is_at_work_stores_nothing_any_more(stack, erasures):
    ann = await stack.person()
    await ann.upload(TEXT)

    async def erase_meanwhile(number):
        if number == 0:
            await erase_user(erasures, ann)

    stack.index.before_confirm = erase_meanwhile
    await stack.run_all()
    assert [await stack.count(table) for table in ("documents", "versions", "chunks", "jobs")] == [0, 0, 0, 0]
    assert await stack.keys() == []
