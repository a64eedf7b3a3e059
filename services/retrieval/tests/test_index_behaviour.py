"""What every vector index must do: the embedded engine, qdrant-client's in-memory engine, and a server."""

import os
import tempfile
import time
import uuid
import warnings
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient

from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.engine.catalog import Catalog
from retrieval.engine.server import build_engine, start_engine
from retrieval.errors import IndexUnavailable
from retrieval.indexing.indexer import name_point
from retrieval.model import Chunk, DocumentVersion, Hit, Matches, Point, Scope, SparseVector
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Deadlines, Generation
from retrieval.vectors.qdrant import QdrantVectorIndex

DIMENSIONS = 16
WEIGHER = Bm25TermWeigher()
SHORT = Deadlines(ping=0.3, read=0.3, write=0.3, prepare=0.3)
NOTHING = SparseVector((), ())


@asynccontextmanager
async def edge_index():
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        catalog = Catalog(Path(folder) / "data")
        server = build_engine(catalog)
        target = f"unix:{folder}/run/engine.sock"
        await start_engine(server, target)
        index = EdgeVectorIndex(target, generation())
        yield index
        await index.close()
        await server.stop(0)
        await catalog.close()


@asynccontextmanager
async def memory_index():
    index = QdrantVectorIndex(AsyncQdrantClient(":memory:"), generation())
    with warnings.catch_warnings():
        # It says that payload indexes change nothing in memory, which is why prepare() is still tested with it.
        warnings.simplefilter("ignore", UserWarning)
        await index.prepare()
    yield index
    await index.close()


@asynccontextmanager
async def server_index():
    url = os.environ.get("QDRANT_URL")
    if not url:
        pytest.skip("QDRANT_URL is not set: no Qdrant server to run against")
    used = generation()
    index = QdrantVectorIndex.connect(url, os.environ.get("QDRANT_API_KEY"), used)
    await index.prepare()
    yield index
    await index.close()
    client = AsyncQdrantClient(url=url, api_key=os.environ.get("QDRANT_API_KEY"))
    await client.delete_collection(used.collection)
    await client.close()


@pytest.fixture(params=[edge_index, memory_index, server_index], ids=["edge", "memory", "server"])
async def index(request):
    async with request.param() as made:
        await made.prepare() if request.param is edge_index else None
        yield made


def generation():
    return Generation(f"test-{uuid.uuid4().hex[:8]}", DIMENSIONS)


def name():
    return str(uuid.uuid4())


def make_version(**changes):
    made = DocumentVersion(name(), name(), name(), name(), "", "book.pdf", "A Book", "en")
    return replace(made, **changes)


def make_chunk(number=0, text="the quick brown fox"):
    return Chunk(number, text, 10 * number, 10 * number + len(text), 1, 2, ("One", "Two"), (7, 8), 5)


def make_point(version, chunk, dense=None):
    point_id = name_point(version.tenant_id, version.version_id, chunk.chunk_index)
    dense = direction(chunk.chunk_index) if dense is None else dense
    return Point(point_id, version, chunk, dense, WEIGHER.weigh_passage(chunk.text, version.language))


def direction(number, lean=0.0):
    """A unit vector; the larger lean is, the further from the axis of that number."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[number % DIMENSIONS] = 1
    vector[(number + 1) % DIMENSIONS] = lean
    return vector / np.linalg.norm(vector)


async def search(index, scope, *, words="fox", limit=10, dense=None):
    dense = direction(0) if dense is None else dense
    found = await index.match(scope, dense, WEIGHER.weigh_query(words, "en"), limit)
    return Matches(await resolve(index, found.dense), await resolve(index, found.sparse))


async def resolve(index, leg):
    """Returns matches with what they stand for, as a search reads it for those that it returns."""
    read = await index.read([match.point_id for match in leg]) if leg else {}
    passages = [read[match.point_id] for match in leg]
    for match, (version, chunk) in zip(leg, passages, strict=True):
        told = (match.version_id, match.language, match.chunk_index)
        assert told == (version.version_id, version.language, chunk.chunk_index)
    return [Hit(*passage, match.score) for match, passage in zip(leg, passages, strict=True)]


def scope_of(version, user="u1", **narrowing):
    return Scope(version.tenant_id, user, **narrowing)


def versions_of(leg):
    return {match.version.version_id for match in leg}


async def test_a_match_gives_back_every_field_of_what_was_stored(index):
    version, chunk = make_version(), make_chunk()
    await index.upsert([make_point(version, chunk)])
    found = await search(index, scope_of(version))
    for leg in (found.dense, found.sparse):
        assert [(match.version, match.chunk) for match in leg] == [(version, chunk)]
    assert found.dense[0].score == pytest.approx(1.0, abs=1e-3)


async def test_what_comes_with_the_leading_matches_is_what_would_be_read(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk(number, f"fox {number}")) for number in range(6)])
    found = await index.match(scope_of(version), direction(0), WEIGHER.weigh_query("fox", "en"), 10, 2)
    leading = {match.point_id for match in (*found.dense[:2], *found.sparse[:2])}
    assert set(found.passages) in (leading, set())
    assert await index.read(sorted(leading)) == (found.passages or await index.read(sorted(leading)))


async def test_what_is_written_again_is_found_as_it_is_now(index):
    version = make_version()
    for text in ("an old fox", "a new fox"):
        await index.upsert([make_point(version, make_chunk(text=text))])
        found = await search(index, scope_of(version))
        assert [match.chunk.text for match in (*found.dense, *found.sparse)] == [text, text]
    await index.delete_version(version.tenant_id, version.version_id)
    assert not (await search(index, scope_of(version))).dense


async def test_points_that_are_gone_are_not_read(index):
    version = make_version()
    points = [make_point(version, make_chunk(number)) for number in range(2)]
    await index.upsert(points[:1])
    assert await index.read([point.point_id for point in points]) == {points[0].point_id: (version, make_chunk(0))}


async def test_unicode_comes_back_as_it_went_in(index):
    version = make_version(filename="\u202eگزارش 🦊.pdf", title="کتاب‌ها", language="fa")
    chunk = replace(make_chunk(text="روباه 🦊 تیز در خانه‌های قدیمی\n𝔘𝔫𝔦"), heading_path=("فصل اول",))
    await index.upsert([make_point(version, chunk)])
    found = await search(index, scope_of(version), words="خانه")
    assert [(match.version, match.chunk) for match in found.sparse] == [(version, chunk)]
    assert found.dense[0].chunk.text == chunk.text


async def test_each_leg_is_best_first_and_holds_what_it_alone_found(index):
    version = make_version()
    points = [
        make_point(version, make_chunk(0, "nothing in common"), direction(0)),
        make_point(version, make_chunk(1, "a fox and a hen"), direction(0, lean=1.0)),
        make_point(version, make_chunk(2, "fox fox fox"), direction(0, lean=3.0)),
    ]
    await index.upsert(points)
    found = await search(index, scope_of(version))
    assert [match.chunk.chunk_index for match in found.dense] == [0, 1, 2]
    assert [match.chunk.chunk_index for match in found.sparse] == [2, 1]
    for leg in (found.dense, found.sparse):
        assert [match.score for match in leg] == sorted((match.score for match in leg), reverse=True)


async def test_a_rare_word_weighs_more_than_a_common_one(index):
    version = make_version()
    texts = ["fox one", "fox two", "fox three", "badger four"]
    await index.upsert([make_point(version, make_chunk(i, text)) for i, text in enumerate(texts)])
    found = await search(index, scope_of(version), words="fox badger")
    assert found.sparse[0].chunk.text == "badger four"


async def test_rarity_is_counted_within_the_tenant(index):
    mine, theirs = make_version(), make_version()
    await index.upsert([make_point(mine, make_chunk(i, t)) for i, t in enumerate(["fox a1", "fox b1", "badger c1"])])
    alone = await search(index, scope_of(mine), words="badger")
    await index.upsert([make_point(theirs, make_chunk(i, f"badger {i}")) for i in range(50)])
    among_others = await search(index, scope_of(mine), words="badger")
    assert among_others.sparse[0].score == pytest.approx(alone.sparse[0].score)


async def test_writing_a_point_again_rewrites_it(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk(0, "an old fox"))])
    await index.upsert([make_point(version, make_chunk(0, "a new badger"))])
    assert await index.count(version.tenant_id, version.version_id) == 1
    found = await search(index, scope_of(version), words="fox badger")
    assert [match.chunk.text for match in found.sparse] == ["a new badger"]
    assert not (await search(index, scope_of(version), words="fox")).sparse


async def test_no_tenant_finds_or_counts_what_another_has(index):
    mine, theirs = make_version(), make_version()
    await index.upsert([make_point(mine, make_chunk()), make_point(theirs, make_chunk())])
    # The other tenant's ids are named outright, and open nothing.
    for narrowing in ({}, {"document_ids": (theirs.document_id,)}, {"collection_ids": (theirs.collection_id,)}):
        found = await search(index, scope_of(mine, **narrowing), limit=100)
        assert versions_of([*found.dense, *found.sparse]) <= {mine.version_id}
    assert await index.count(mine.tenant_id, theirs.version_id) == 0


async def test_no_tenant_deletes_what_another_has(index):
    mine, theirs = make_version(), make_version()
    await index.upsert([make_point(theirs, make_chunk())])
    await index.delete_document(mine.tenant_id, theirs.document_id)
    assert await index.count(theirs.tenant_id, theirs.version_id) == 1


async def test_a_call_without_a_tenant_is_refused(index):
    with pytest.raises(ValueError, match="tenant"):
        await search(index, Scope("", "u1"))
    with pytest.raises(ValueError, match="tenant"):
        await index.count("", name())
    with pytest.raises(ValueError, match="tenant"):
        await index.delete_document("", name())


async def test_private_points_are_found_by_their_user_only(index):
    shared = make_version()
    private = make_version(tenant_id=shared.tenant_id, private_to_user_id="u1")
    await index.upsert([make_point(shared, make_chunk()), make_point(private, make_chunk())])
    both = {shared.version_id, private.version_id}
    for user, visible in (("u1", both), ("u2", {shared.version_id}), ("", {shared.version_id})):
        found = await search(index, scope_of(shared, user))
        assert versions_of(found.dense) == versions_of(found.sparse) == visible, user


@pytest.mark.parametrize("kind", ["collection_ids", "document_ids"])
async def test_narrowing_leaves_only_what_was_named(index, kind):
    first = make_version()
    others = [make_version(tenant_id=first.tenant_id) for _ in range(2)]
    await index.upsert([make_point(version, make_chunk()) for version in (first, *others)])
    named = {"collection_ids": first.collection_id, "document_ids": first.document_id}
    found = await search(index, scope_of(first, **{kind: (named[kind],)}))
    assert versions_of(found.dense) == versions_of(found.sparse) == {first.version_id}


async def test_narrowing_takes_thousands_of_ids(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk())])
    ids = (*(name() for _ in range(3000)), version.document_id)
    found = await search(index, scope_of(version, document_ids=ids))
    assert versions_of(found.dense) == versions_of(found.sparse) == {version.version_id}
    assert not (await search(index, scope_of(version, document_ids=ids[:-1]))).dense


async def test_at_most_limit_matches_come_from_each_leg(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk(i, f"fox {i}")) for i in range(300)])
    for limit in (1, 7, 250):
        found = await search(index, scope_of(version), limit=limit)
        assert (len(found.dense), len(found.sparse)) == (limit, limit)
    assert len((await search(index, scope_of(version), limit=1000)).dense) == 300


async def test_a_query_without_terms_still_finds_by_meaning(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk())])
    found = await index.match(scope_of(version), direction(0), NOTHING, 5)
    assert len(found.dense) == 1
    assert not found.sparse


async def test_a_chunk_without_terms_is_stored_too(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk(0, "!!!"))])
    assert await index.count(version.tenant_id, version.version_id) == 1


async def test_an_empty_index_finds_and_counts_nothing(index):
    version = make_version()
    found = await search(index, scope_of(version))
    assert not [*found.dense, *found.sparse]
    assert await index.count(version.tenant_id, version.version_id) == 0
    await index.upsert([])


async def test_counts_are_exact_and_per_version(index):
    old = make_version()
    new = replace(old, version_id=name())
    await index.upsert([make_point(old, make_chunk(i)) for i in range(130)])
    await index.upsert([make_point(new, make_chunk(i)) for i in range(3)])
    assert await index.count(old.tenant_id, old.version_id) == 130
    assert await index.count(old.tenant_id, new.version_id) == 3


async def test_deleting_a_document_spares_the_version_to_keep_and_other_documents(index):
    old = make_version()
    new = replace(old, version_id=name())
    other = make_version(tenant_id=old.tenant_id)
    await index.upsert([make_point(version, make_chunk()) for version in (old, new, other)])
    await index.delete_document(old.tenant_id, old.document_id, keep_version_id=new.version_id)
    counts = [await index.count(old.tenant_id, version.version_id) for version in (old, new, other)]
    assert counts == [0, 1, 1]
    for _ in range(2):
        await index.delete_document(old.tenant_id, old.document_id)
    assert versions_of((await search(index, scope_of(old))).sparse) == {other.version_id}


async def test_deleting_a_version_spares_the_others_of_its_document_and_other_tenants(index):
    old = make_version()
    new, theirs = replace(old, version_id=name()), replace(old, tenant_id=name())
    points = [make_point(version, make_chunk()) for version in (old, new)]
    await index.upsert([*points, make_point(theirs, make_chunk())])
    for _ in range(2):
        await index.delete_version(old.tenant_id, old.version_id)
    versions = ((old.tenant_id, old), (new.tenant_id, new), (theirs.tenant_id, theirs))
    assert [await index.count(tenant, version.version_id) for tenant, version in versions] == [0, 1, 1]


async def test_what_is_flushed_is_there_as_before(index):
    version = make_version()
    await index.flush()
    await index.upsert([make_point(version, make_chunk())])
    await index.flush()
    assert await index.count(version.tenant_id, version.version_id) == 1


async def test_dropping_other_collections_spares_this_one(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk())])
    await index.drop_others([])
    assert await index.count(version.tenant_id, version.version_id) == 1


async def test_preparing_again_changes_nothing(index):
    version = make_version()
    await index.upsert([make_point(version, make_chunk())])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        await index.prepare()
    assert await index.count(version.tenant_id, version.version_id) == 1


async def test_ping_names_the_engine(index):
    assert (await index.ping()).startswith("qdrant")


@pytest.mark.parametrize("kind", ["edge", "qdrant"])
async def test_an_index_that_is_away_is_unavailable_within_the_deadline(kind, tmp_path):
    if kind == "edge":
        index = EdgeVectorIndex(f"unix:{tmp_path}/nobody.sock", generation(), deadlines=SHORT)
    else:
        index = QdrantVectorIndex.connect("http://127.0.0.1:9", None, generation(), deadlines=SHORT)
    version = make_version()
    calls = (
        index.prepare,
        index.ping,
        lambda: search(index, scope_of(version)),
        lambda: index.count(version.tenant_id, version.version_id),
        lambda: index.upsert([make_point(version, make_chunk())]),
        lambda: index.delete_document(version.tenant_id, version.document_id),
        lambda: index.delete_version(version.tenant_id, version.version_id),
    )
    for call in calls:
        started = time.monotonic()
        with pytest.raises(IndexUnavailable):
            await call()
        assert time.monotonic() - started < 5
    await index.close()
