"""The whole of retrieval: the real model, the real engine in its own process, real PostgreSQL, real RPC."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from docuchat.common.v1 import status_service_pb2 as status_pb2
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub
from docuchat.retrieval.v1 import index_service_pb2 as index_pb2
from docuchat.retrieval.v1 import search_service_pb2 as search_pb2
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceStub
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceStub
from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.embedders.minilm import MiniLmEmbedder
from retrieval.errors import IndexUnavailable
from retrieval.indexing.preparation import IndexPreparation
from retrieval.server import add_servicers
from retrieval.stores.versions import PostgresVersionRegistry
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Generation
from servicekit.rpc.client import open_channel

FACTS = (
    "The heart pumps blood through arteries and veins.",
    "Photosynthesis turns sunlight into sugar inside green leaves.",
    "The court ruled that the copyright term had been extended lawfully.",
    "A just-in-time compiler records hot loops and turns them into machine code.",
    "Glaciers carve valleys as they slide slowly downhill.",
    "Sourdough bread rises because wild yeast ferments the flour.",
    "The treaty ended thirty years of war between the kingdoms.",
    "Whales are mammals that breathe air at the surface.",
    "Error code E4711 means that the pump has lost pressure.",
    "The mortgage rate was raised by a quarter of a percent.",
)
TENANT, ANN, BOB = (str(uuid4()) for _ in range(3))


class FreeAllowance:
    """A plan without limits."""

    async def spend(self, tenant_id, user_id, tokens, api_key_id=""):
        return None


@pytest.fixture(scope="module")
def folder():
    # A socket's path may have 107 characters, fewer than pytest's own folders take.
    with tempfile.TemporaryDirectory(prefix="ret-") as name:
        yield Path(name)


@contextmanager
def run_process(name, **environment):
    """Runs `python -m retrieval <name>` and ends it as an operator would."""
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("DOCUCHAT_", "QDRANT_"))}
    command = [sys.executable, "-m", "retrieval", name]
    with subprocess.Popen(command, env={**usual, **environment}, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@pytest.fixture(scope="module")
def engine(folder):
    target = f"unix:{folder}/engine.sock"
    with run_process("engine", DOCUCHAT_ENGINE_TARGET=target, DOCUCHAT_DATA_DIR=str(folder)):
        yield target


@pytest_asyncio.fixture
async def channels(engine, folder, service_database, rpc, tokens):
    """Returns a function that opens a channel for a token."""
    embedder = await MiniLmEmbedder.open(folder / "models")
    generation = Generation(embedder.model, embedder.dimensions)
    index = EdgeVectorIndex(engine, generation)
    registry = PostgresVersionRegistry((await service_database("retrieval")).database, generation.collection)
    adding = partial(
        add_servicers,
        embedder=embedder,
        weigher=Bm25TermWeigher(),
        index=index,
        registry=registry,
        allowance=FreeAllowance(),
        count_tokens=len,
        known_languages=frozenset({"en"}),
    )
    preparing = asyncio.create_task(IndexPreparation(index).keep_prepared())
    opened = []
    async with rpc.serve(name="retrieval", add_servicers=adding) as address:

        def connect(token):
            async def identity():
                return token

            opened.append(open_channel(address, identity=identity, timeout_seconds=30))
            return opened[-1]

        await wait_until_prepared(index)
        yield connect
        for channel in opened:
            await channel.close()
    preparing.cancel()
    await index.close()
    await embedder.close()


async def wait_until_prepared(index):
    async with asyncio.timeout(60):
        while True:
            try:
                return await index.count(TENANT, str(uuid4()))
            except IndexUnavailable:
                await asyncio.sleep(0.1)


@pytest.fixture
def indexing(channels, tokens):
    return IndexServiceStub(channels(tokens.issue_service("ingestion")))


@pytest.fixture
def search_as(channels, tokens):
    async def search(query, user=ANN, tenant=TENANT, **more):
        stub = SearchServiceStub(channels(tokens.issue(user, tenant)))
        return list((await stub.Search(search_pb2.SearchRequest(query=query, **more))).hits)

    return search


async def add(stub, texts, *, language="en", **fields):
    ids = {name: str(uuid4()) for name in ("document_id", "version_id", "collection_id")}
    header = index_pb2.IndexHeader(**{"tenant_id": TENANT, "filename": "a.txt", "language": language, **ids, **fields})
    chunks = [index_pb2.IndexChunk(chunk_index=number, text=text) for number, text in enumerate(texts)]
    batches = [index_pb2.IndexBatch(chunks=chunks[start : start + 4]) for start in range(0, len(chunks), 4)]
    parts = [{"header": header}, *({"batch": batch} for batch in batches)]
    call = stub.IndexChunks(iter([index_pb2.IndexChunksRequest(**part) for part in parts]))
    confirmed = [answer.indexed_count async for answer in call]
    assert confirmed[-1] == len(texts)
    request = index_pb2.ActivateVersionRequest(
        tenant_id=header.tenant_id,
        document_id=header.document_id,
        version_id=header.version_id,
        chunk_count=len(texts),
    )
    await stub.ActivateVersion(request)
    return header


QUESTIONS = {
    "Which organ moves blood around the body?": 0,
    "How do plants make food from light?": 1,
    "legal protection of creative works": 2,
    "Why does dough get bigger before baking?": 5,
    "What does E4711 mean?": 8,
}


async def test_passages_are_found_by_meaning_and_by_words(indexing, search_as):
    tenant = str(uuid4())
    await add(indexing, FACTS, tenant_id=tenant)
    for question, fact in QUESTIONS.items():
        hits = await search_as(question, tenant=tenant)
        assert hits[0].text == FACTS[fact]
        assert 1 >= hits[0].score > hits[1].score > 0


async def test_a_query_without_a_word_is_answered_by_meaning_alone(indexing, search_as):
    tenant = str(uuid4())
    await add(indexing, FACTS, tenant_id=tenant)
    hits = await search_as("🚀 ?!", tenant=tenant)
    assert len(hits) == 8
    assert all(hit.score < 0.75 for hit in hits)


async def test_the_walls_hold_for_tenants_and_users(indexing, search_as):
    tenant, other = str(uuid4()), str(uuid4())
    shared = await add(indexing, FACTS, tenant_id=tenant)
    private = await add(indexing, FACTS, tenant_id=tenant, private_to_user_id=ANN)
    foreign = await add(indexing, FACTS, tenant_id=other)

    async def find(user, tenant_id):
        return {hit.document_id for hit in await search_as("blood and veins", user, tenant_id, top_k=50)}

    assert await find(ANN, tenant) == {shared.document_id, private.document_id}
    assert await find(BOB, tenant) == {shared.document_id}
    assert await find(ANN, other) == {foreign.document_id}
    assert await search_as("blood", BOB, tenant, document_ids=[private.document_id, foreign.document_id]) == []


async def test_a_deleted_document_is_never_seen_again_and_a_new_version_replaces_the_old(indexing, search_as):
    tenant = str(uuid4())
    kept, gone = await add(indexing, FACTS, tenant_id=tenant), await add(indexing, FACTS, tenant_id=tenant)
    await indexing.DeleteDocument(index_pb2.DeleteDocumentRequest(tenant_id=tenant, document_id=gone.document_id))
    hits = await search_as("blood", tenant=tenant, top_k=50)
    assert {hit.document_id for hit in hits} == {kept.document_id}
    new = await add(indexing, ["Blood is red."], tenant_id=tenant, document_id=kept.document_id)
    hits = await search_as("blood", tenant=tenant, top_k=50)
    assert [(hit.text, hit.version_id) for hit in hits] == [("Blood is red.", new.version_id)]


PERSIAN = {
    "پایتخت ایران کجاست؟": "تهران پایتخت ایران و بزرگ‌ترین شهر آن است.",
    "بلندترین قلهٔ ایران چیست؟": "دماوند بلندترین قلهٔ ایران است.",
    "شاهنامه را چه کسی سرود؟": "شاهنامه را فردوسی در سی سال سرود.",
    "زعفران در کجا کشت می‌شود؟": "زعفران بیشتر در خراسان کشت می‌شود.",
    "نوروز چه روزی آغاز می‌شود؟": "نوروز در نخستین روز بهار آغاز می‌شود.",
    "حافظ در کدام شهر زیست؟": "حافظ همهٔ زندگی را در شیراز زیست.",
}


async def test_a_language_the_model_does_not_know_is_searched_by_its_words(indexing, search_as):
    tenant = str(uuid4())
    await add(indexing, list(PERSIAN.values()), language="fa", tenant_id=tenant)
    await add(indexing, FACTS, tenant_id=tenant)
    for question, answer in PERSIAN.items():
        assert (await search_as(question, tenant=tenant))[0].text == answer


async def test_the_process_serves_reports_its_parts_and_stops_in_order(engine, folder, service_database):
    database = await service_database("retrieval")
    listen = f"unix:{folder}/retrieval.sock"
    settings = {
        "DOCUCHAT_LISTEN": listen,
        "DOCUCHAT_DATABASE_URL": database.url,
        "DOCUCHAT_ENGINE_TARGET": engine,
        "DOCUCHAT_DATA_DIR": str(folder),
        "DOCUCHAT_AUTH_TARGET": f"unix:{folder}/no-auth.sock",
        "DOCUCHAT_SERVICE_SECRET": "the secret of retrieval",
    }
    with run_process("serve", **settings) as process:
        async with open_channel(listen) as channel:
            stub = StatusServiceStub(channel)
            await wait_until_healthy(stub)
            answer = await stub.GetStatus(status_pb2.GetStatusRequest())
        parts = {row.dependency: row for row in answer.components}
        assert set(parts) == {"", "postgresql", "vector index", "embedder"}
        assert all(row.state == status_pb2.SERVING for row in parts.values())
    assert process.returncode == 0


async def wait_until_healthy(stub):
    async with asyncio.timeout(60):
        while True:
            try:
                return await stub.GetHealth(status_pb2.GetHealthRequest(), timeout=1)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
