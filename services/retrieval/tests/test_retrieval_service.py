"""The servicers through a real server, with real PostgreSQL and real BM25 weights."""

import asyncio
import warnings
from functools import partial
from uuid import uuid4

import grpc
import numpy as np
import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from docuchat.common.v1 import erasure_service_pb2 as erasure_pb2
from docuchat.common.v1.erasure_service_pb2_grpc import ErasureServiceStub
from docuchat.retrieval.v1 import index_service_pb2 as index_pb2
from docuchat.retrieval.v1 import search_service_pb2 as search_pb2
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceStub
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceStub
from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.errors import EmbedderRefused, EmbedderUnavailable, IndexUnavailable
from retrieval.indexing import erase as erasing
from retrieval.server import add_servicers
from retrieval.stores.versions import PostgresVersionRegistry
from retrieval.vectors.generation import Generation
from retrieval.vectors.qdrant import QdrantVectorIndex
from servicekit.rpc.client import open_channel
from servicekit.rpc.status import read_error

pytestmark = pytest.mark.asyncio(loop_scope="module")
GENERATION = Generation("letters", 26)
TENANT, OTHER_TENANT, ANN, BOB = (str(uuid4()) for _ in range(4))


class FreeAllowance:
    """A plan without limits."""

    async def spend(self, tenant_id, user_id, tokens, api_key_id=""):
        return None


class LetterEmbedder:
    """Counts letters: enough for texts about different things to differ."""

    def __init__(self):
        self.calls, self.error = 0, None
        self.model = "letters"

    async def embed_query(self, text):
        self.calls += 1
        if self.error:
            raise self.error
        counts = np.array([text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"], dtype=np.float32)
        return counts / max(float(np.linalg.norm(counts)), 1.0)

    async def embed_passages(self, texts):
        return [await self.embed_query(text) for text in texts]


class InMemoryIndex(QdrantVectorIndex):
    """The real adapter over qdrant-client's own engine, which can be made to go away."""

    def __init__(self):
        self.client, self.away = AsyncQdrantClient(":memory:"), False
        super().__init__(self.client, GENERATION)

    async def match(self, *arguments):
        self.require_presence()
        return await super().match(*arguments)

    async def delete_document(self, *arguments, **more):
        self.require_presence()
        await super().delete_document(*arguments, **more)

    async def count(self, *arguments):
        self.require_presence()
        return await super().count(*arguments)

    def require_presence(self):
        if self.away:
            raise IndexUnavailable

    async def count_all(self):
        return (await self.client.count(GENERATION.collection, exact=True)).count


@pytest_asyncio.fixture(loop_scope="module")
async def index():
    index = InMemoryIndex()
    # The in-memory engine says that it makes no use of payload indexes.
    with warnings.catch_warnings(action="ignore"):
        await index.prepare()
    yield index
    await index.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registry(postgres_templates):
    """One database for all: its rows are about documents that each test makes anew."""
    async with postgres_templates.clone("retrieval") as database:
        yield PostgresVersionRegistry(database.database, GENERATION.collection)


@pytest.fixture
def embedder():
    return LetterEmbedder()


@pytest_asyncio.fixture(loop_scope="module")
async def address(registry, rpc, index, embedder):
    adding = partial(
        add_servicers,
        embedder=embedder,
        weigher=Bm25TermWeigher(),
        index=index,
        registry=registry,
        allowance=FreeAllowance(),
        count_tokens=len,
        known_languages=None,
    )
    async with rpc.serve(name="retrieval", add_servicers=adding) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def connect(address, tokens):
    """Returns a function that opens a channel for a token."""
    channels = []

    def open_for(token):
        async def identity():
            return token

        channels.append(open_channel(address, identity=identity))
        return channels[-1]

    yield open_for
    for channel in channels:
        await channel.close()


@pytest.fixture
def indexing(connect, tokens):
    return IndexServiceStub(connect(tokens.issue_service("ingestion")))


@pytest.fixture
def search_as(connect, tokens):
    async def search(query, user=ANN, tenant=TENANT, **more):
        stub = SearchServiceStub(connect(tokens.issue(user, tenant)))
        answer = await stub.Search(search_pb2.SearchRequest(query=query, **more))
        return list(answer.hits)

    return search


def make_header(**fields):
    ids = {name: str(uuid4()) for name in ("document_id", "version_id", "collection_id")}
    usual = {"tenant_id": TENANT, "filename": "a.pdf", "title": "A", "language": "en", **ids}
    return index_pb2.IndexHeader(**{**usual, **fields})


def make_batch(*texts, first=0):
    chunks = [
        index_pb2.IndexChunk(
            chunk_index=first + number,
            text=text,
            start_offset=10 * number,
            end_offset=10 * number + len(text),
            page_start=1,
            page_end=2,
            heading_path=["One", "Two"],
            page_break_offsets=[10 * number + 3],
        )
        for number, text in enumerate(texts)
    ]
    return index_pb2.IndexChunksRequest(batch=index_pb2.IndexBatch(chunks=chunks))


async def send(stub, *requests):
    call = stub.IndexChunks(iter(requests))
    return [answer.indexed_count async for answer in call]


async def add(stub, *texts, **fields):
    header = make_header(**fields)
    await send(stub, index_pb2.IndexChunksRequest(header=header), make_batch(*texts))
    await activate(stub, header, len(texts))
    return header


async def activate(stub, header, chunk_count):
    await stub.ActivateVersion(
        index_pb2.ActivateVersionRequest(
            tenant_id=header.tenant_id,
            document_id=header.document_id,
            version_id=header.version_id,
            chunk_count=chunk_count,
        )
    )


async def delete(stub, header):
    await stub.DeleteDocument(
        index_pb2.DeleteDocumentRequest(tenant_id=header.tenant_id, document_id=header.document_id)
    )


async def expect(awaitable, code, reason):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await awaitable
    error = read_error(raised.value)
    assert (error.code, error.reason) == (code, reason)
    return error


async def test_a_hit_carries_everything_a_citation_needs(indexing, search_as):
    header = await add(indexing, "a zebra grazes", "the moon rises")
    hit = (await search_as("zebra"))[0]
    assert 0 < hit.score <= 1
    assert (hit.text, hit.chunk_index, hit.start_offset, hit.end_offset) == ("a zebra grazes", 0, 0, 14)
    assert (hit.page_start, hit.page_end) == (1, 2)
    assert (list(hit.heading_path), list(hit.page_break_offsets)) == (["One", "Two"], [3])
    assert (hit.document_id, hit.version_id) == (header.document_id, header.version_id)
    assert (hit.collection_id, hit.filename, hit.title, hit.language) == (header.collection_id, "a.pdf", "A", "en")


async def test_batches_are_confirmed_one_by_one_and_stay_invisible_until_activation(indexing, search_as):
    header = make_header()
    start = index_pb2.IndexChunksRequest(header=header)
    assert await send(indexing, start, make_batch("zebra", "moon"), make_batch("sun", first=2)) == [2, 3]
    assert await search_as("zebra") == []
    await activate(indexing, header, 3)
    assert [hit.text for hit in await search_as("zebra", top_k=1)] == ["zebra"]


async def test_a_sender_may_wait_for_each_confirmation(indexing):
    call = indexing.IndexChunks()
    await call.write(index_pb2.IndexChunksRequest(header=make_header()))
    for number in range(3):
        await call.write(make_batch("zebra", first=number))
        answer = await asyncio.wait_for(call.read(), 5)
        assert answer.indexed_count == number + 1
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_version_without_chunks_is_confirmed_with_zero(indexing):
    assert await send(indexing, index_pb2.IndexChunksRequest(header=make_header())) == [0]


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [make_batch("no header")],
        [index_pb2.IndexChunksRequest()],
        [index_pb2.IndexChunksRequest(header=make_header())] * 2,
        [index_pb2.IndexChunksRequest(header=make_header()), index_pb2.IndexChunksRequest()],
    ],
    ids=["nothing", "no header", "empty first", "two headers", "empty second"],
)
async def test_a_stream_out_of_order_is_refused(indexing, index, requests):
    await expect(send(indexing, *requests), "INVALID_ARGUMENT", "INVALID_INDEX_STREAM")
    assert await index.count_all() == 0


@pytest.mark.parametrize(
    "part",
    [
        {"header": make_header(tenant_id="../../etc")},
        {"header": make_header(private_to_user_id="ann")},
        {"batch": index_pb2.IndexBatch()},
    ],
    ids=["tenant", "user", "empty batch"],
)
async def test_fields_out_of_bounds_are_refused(indexing, part):
    await expect(send(indexing, index_pb2.IndexChunksRequest(**part)), "INVALID_ARGUMENT", "INVALID_FIELD")


async def test_an_incomplete_version_is_not_activated(indexing, search_as):
    header = make_header()
    await send(indexing, index_pb2.IndexChunksRequest(header=header), make_batch("zebra"))
    error = await expect(activate(indexing, header, 2), "FAILED_PRECONDITION", "VERSION_INCOMPLETE")
    assert error.metadata["found"] == "1"
    assert await search_as("zebra") == []


async def test_a_new_version_replaces_the_old_one_and_its_points(indexing, search_as, index):
    old = await add(indexing, "old zebra", "old moon")
    new = make_header(document_id=old.document_id)
    await send(indexing, index_pb2.IndexChunksRequest(header=new), make_batch("new zebra"))
    assert {hit.version_id for hit in await search_as("zebra")} == {old.version_id}
    for _ in range(2):
        await activate(indexing, new, 1)
    assert {hit.version_id for hit in await search_as("zebra")} == {new.version_id}
    assert await index.count_all() == 1


async def test_a_deleted_document_is_gone_and_takes_nothing_more(indexing, search_as, index):
    header = await add(indexing, "zebra")
    for _ in range(2):
        await delete(indexing, header)
    assert await search_as("zebra") == []
    assert await index.count_all() == 0
    again = send(indexing, index_pb2.IndexChunksRequest(header=header), make_batch("zebra"))
    await expect(again, "FAILED_PRECONDITION", "DOCUMENT_DELETED")
    await expect(activate(indexing, header, 1), "FAILED_PRECONDITION", "DOCUMENT_DELETED")


async def test_a_document_is_invisible_although_its_points_could_not_be_removed(indexing, search_as, index):
    header = await add(indexing, "zebra")
    index.away = True
    await expect(delete(indexing, header), "UNAVAILABLE", "INDEX_UNAVAILABLE")
    index.away = False
    assert await index.count_all() == 1
    assert await search_as("zebra") == []


async def hide(stub, header):
    await stub.HideDocument(index_pb2.HideDocumentRequest(tenant_id=header.tenant_id, document_id=header.document_id))


async def test_a_document_is_hidden_at_once_and_for_good_without_an_index(indexing, search_as, index):
    header = await add(indexing, "zebra")
    index.away = True
    for _ in range(2):
        await hide(indexing, header)
    await hide(indexing, make_header())
    index.away = False
    assert await index.count_all() == 1
    assert await search_as("zebra") == []
    await expect(activate(indexing, header, 1), "FAILED_PRECONDITION", "DOCUMENT_DELETED")


async def check(stub, *headers, chunk_count=1):
    versions = [
        index_pb2.ExpectedVersion(
            tenant_id=header.tenant_id,
            document_id=header.document_id,
            version_id=header.version_id,
            chunk_count=chunk_count,
        )
        for header in headers
    ]
    answer = await stub.CheckVersions(index_pb2.CheckVersionsRequest(versions=versions))
    return [index_pb2.CheckVersionsResponse.Condition.Name(condition) for condition in answer.conditions]


async def test_what_should_be_searchable_is_compared_with_what_is(indexing, index):
    whole, hidden, torn = [await add(indexing, "zebra") for _ in range(3)]
    theirs = await add(indexing, "zebra", tenant_id=OTHER_TENANT)
    begun = make_header()
    await send(indexing, index_pb2.IndexChunksRequest(header=begun), make_batch("zebra"))
    await hide(indexing, hidden)
    await index.delete_version(TENANT, torn.version_id)
    asked = (whole, theirs, hidden, torn, begun, make_header())
    assert await check(indexing, *asked) == ["INTACT", "INTACT", "HIDDEN", "DAMAGED", "DAMAGED", "DAMAGED"]
    assert await check(indexing, whole, chunk_count=2) == ["DAMAGED"]
    await send(indexing, index_pb2.IndexChunksRequest(header=torn), make_batch("zebra"))
    await activate(indexing, torn, 1)
    assert await check(indexing, torn) == ["INTACT"]


async def test_versions_of_another_embedding_model_are_outdated_until_they_are_indexed_again(
    indexing, search_as, registry, monkeypatch
):
    header = await add(indexing, "zebra")
    monkeypatch.setattr(registry, "_generation", "chunks-another-26-v2")
    assert await check(indexing, header) == ["OUTDATED"]
    assert await search_as("zebra") == []
    await send(indexing, index_pb2.IndexChunksRequest(header=header), make_batch("zebra"))
    await activate(indexing, header, 1)
    assert await check(indexing, header) == ["INTACT"]
    assert len(await search_as("zebra")) == 1


async def test_a_check_says_so_when_the_index_is_away(indexing, index):
    header = await add(indexing, "zebra")
    index.away = True
    await expect(check(indexing, header), "UNAVAILABLE", "INDEX_UNAVAILABLE")


async def test_a_check_has_a_limit(indexing):
    await expect(check(indexing, *[make_header()] * 101), "INVALID_ARGUMENT", "INVALID_FIELD")


async def test_what_the_embedder_has_retried_is_not_tried_again_by_the_caller_s_channel(indexing, search_as, embedder):
    embedder.error = EmbedderUnavailable()
    await expect(search_as("zebra"), "UNAVAILABLE", "EMBEDDER_UNAVAILABLE")
    assert embedder.calls == 1
    stream = send(indexing, index_pb2.IndexChunksRequest(header=make_header()), make_batch("zebra"))
    await expect(stream, "UNAVAILABLE", "EMBEDDER_UNAVAILABLE")
    assert embedder.calls == 2


async def test_a_refusal_of_the_embedder_is_no_outage(indexing, embedder):
    embedder.error = EmbedderRefused(401)
    stream = send(indexing, index_pb2.IndexChunksRequest(header=make_header()), make_batch("zebra"))
    await expect(stream, "FAILED_PRECONDITION", "EMBEDDER_REFUSED")


async def test_deleting_an_unknown_document_changes_nothing(indexing, search_as):
    await add(indexing, "zebra")
    await delete(indexing, make_header())
    assert len(await search_as("zebra")) == 1


async def test_nobody_finds_what_is_not_theirs(indexing, search_as):
    await add(indexing, "zebra shared")
    await add(indexing, "zebra of ann", private_to_user_id=ANN)
    await add(indexing, "zebra elsewhere", tenant_id=OTHER_TENANT)
    found = {user: {hit.text for hit in await search_as("zebra", user)} for user in (ANN, BOB)}
    assert found == {ANN: {"zebra shared", "zebra of ann"}, BOB: {"zebra shared"}}
    assert {hit.text for hit in await search_as("zebra", ANN, OTHER_TENANT)} == {"zebra elsewhere"}


async def test_a_search_can_be_narrowed_to_documents_and_collections(indexing, search_as):
    first, second = await add(indexing, "zebra one"), await add(indexing, "zebra two")
    assert len(await search_as("zebra")) == 2
    assert [hit.text for hit in await search_as("zebra", document_ids=[second.document_id])] == ["zebra two"]
    assert [hit.text for hit in await search_as("zebra", collection_ids=[first.collection_id])] == ["zebra one"]


async def test_narrowing_to_a_foreign_document_finds_nothing(indexing, search_as):
    foreign = await add(indexing, "zebra", tenant_id=OTHER_TENANT)
    assert await search_as("zebra", document_ids=[foreign.document_id]) == []


async def test_top_k_is_eight_where_none_is_given(indexing, search_as):
    await add(indexing, *(f"zebra {number}" for number in range(12)))
    assert len(await search_as("zebra")) == 8
    assert len(await search_as("zebra", top_k=3)) == 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"query": "  \u200b\n"}, "EMPTY_QUERY"),
        ({"query": ""}, "INVALID_FIELD"),
        ({"query": "x" * 8001}, "INVALID_FIELD"),
        ({"query": "x", "top_k": 51}, "INVALID_FIELD"),
        ({"query": "x", "top_k": -1}, "INVALID_FIELD"),
        ({"query": "x", "document_ids": ["1 OR 1=1"]}, "INVALID_FIELD"),
        ({"query": "x", "collection_ids": [str(uuid4())] * 101}, "INVALID_FIELD"),
    ],
)
async def test_a_bad_query_is_refused_with_a_reason(search_as, fields, reason):
    await expect(search_as(**fields), "INVALID_ARGUMENT", reason)


async def test_a_search_says_so_when_the_index_is_away(search_as, index):
    index.away = True
    error = await expect(search_as("zebra"), "UNAVAILABLE", "INDEX_UNAVAILABLE")
    assert error.retry_after_seconds == 1


async def test_people_cannot_write_the_index_and_services_cannot_search(connect, tokens):
    as_person = IndexServiceStub(connect(tokens.issue()))
    await expect(as_person.IndexChunks().read(), "PERMISSION_DENIED", "ACCESS_DENIED")
    await expect(delete(as_person, make_header()), "PERMISSION_DENIED", "ACCESS_DENIED")
    as_service = SearchServiceStub(connect(tokens.issue_service("ingestion")))
    await expect(as_service.Search(search_pb2.SearchRequest(query="x")), "PERMISSION_DENIED", "ACCESS_DENIED")


async def test_without_a_token_nothing_is_found(connect):
    await expect(
        SearchServiceStub(connect("")).Search(search_pb2.SearchRequest(query="x")), "UNAUTHENTICATED", "TOKEN_MISSING"
    )


async def erase(stub, tenant_id):
    answer = await stub.EraseTenant(erasure_pb2.EraseTenantRequest(tenant_id=tenant_id))
    return {each.kind: each.count for each in answer.counts}, answer.is_complete


async def test_of_an_erased_tenant_no_vector_and_no_record_is_left_and_of_others_all(
    indexing, index, registry, connect, tokens, search_as, monkeypatch
):
    monkeypatch.setattr(erasing, "BATCH", 2)
    doomed, spared = str(uuid4()), str(uuid4())
    for texts in (("boats and nets", "nets"), ("boats",), ("ropes",)):
        await add(indexing, *texts, tenant_id=doomed)
    await add(indexing, "boats", tenant_id=spared)
    gone = await add(indexing, "deleted before", tenant_id=doomed)
    await delete(indexing, gone)
    stub = ErasureServiceStub(connect(tokens.issue_service("auth")))
    calls = [await erase(stub, doomed) for _ in range(4)]
    assert [is_complete for _, is_complete in calls] == [False, False, True, True]
    sums = {kind: sum(counts.get(kind, 0) for counts, _ in calls) for kind in ("vectors", "versions", "documents")}
    assert sums == {"vectors": 4, "versions": 3, "documents": 4}
    assert calls[-1] == ({}, True)
    assert await index.count_all() == 1
    assert len(await search_as("boats", tenant=spared)) == 1
    assert await registry.list_documents(doomed, 10) == {}


async def test_where_the_index_is_away_the_records_stay_until_the_vectors_are_gone(
    indexing, index, registry, connect, tokens
):
    tenant_id = str(uuid4())
    await add(indexing, "boats", tenant_id=tenant_id)
    stub = ErasureServiceStub(connect(tokens.issue_service("auth")))
    index.away = True
    await expect(
        stub.EraseTenant(erasure_pb2.EraseTenantRequest(tenant_id=tenant_id)), "UNAVAILABLE", "INDEX_UNAVAILABLE"
    )
    assert len(await registry.list_documents(tenant_id, 10)) == 1
    index.away = False
    assert await erase(stub, tenant_id) == ({"vectors": 1, "versions": 1, "documents": 1}, True)
