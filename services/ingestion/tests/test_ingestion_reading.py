"""Reading documents and collections through the real server, and the walls between people and tenants."""

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import grpc
import pytest
from sqlalchemy import text

from docuchat.ingestion.v1 import collection_pb2, document_pb2
from docuchat.ingestion.v1 import collection_service_pb2 as collections_pb
from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.library.documents import DocumentReader
from ingestion.model import Placement
from ingestion.servicers.documents import DocumentServicer
from ingestion.stores.texts import SEGMENT_CHARACTERS, PostgresTextStore, replace_text
from ingestion.stores.workers import PostgresWorkerRegistry
from servicekit.identity import Role
from servicekit.rpc.paging import encode_page_token
from servicekit.rpc.status import read_error

TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read_error(caught.value)


async def read_content(person, document_id):
    call = person.documents.GetDocumentContent(pb.GetDocumentContentRequest(document_id=document_id))
    frames = [frame async for frame in call]
    return dict(await call.initial_metadata()), frames


async def create(person, name, visibility="PRIVATE"):
    request = collections_pb.CreateCollectionRequest(display_name=name, visibility=visibility)
    return (await person.collections.CreateCollection(request)).collection


async def test_documents_are_listed_newest_first_page_by_page(stack):
    ann = await stack.person()
    sent = [(await ann.upload(b"text %d" % number))[0].document_id for number in range(5)]
    found, token = [], ""
    for size in (2, 2, 1):
        page = await ann.list(page_size=2, page_token=token)
        assert len(page.documents) == size
        found += [document.document_id for document in page.documents]
        token = page.next_page_token
        await ann.upload(b"newer")  # what arrives meanwhile moves nothing
    assert token == ""
    assert found == sent[::-1]


async def test_documents_are_listed_by_state_and_collection(stack):
    ann = await stack.person()
    papers = await create(ann, "Papers")
    [ready] = await ann.upload(TEXT)
    await stack.run_all()
    [waiting] = await ann.upload(TEXT, collection_id=papers.collection_id)
    for request, expected in (
        ({"state": "READY"}, [ready]),
        ({"state": "UPLOADED"}, [waiting]),
        ({"state": "DELETING"}, []),
        ({"collection_id": papers.collection_id}, [waiting]),
        ({"collection_id": str(uuid4())}, []),
    ):
        found = (await ann.list(**request)).documents
        assert [document.document_id for document in found] == [document.document_id for document in expected]


async def test_a_page_token_of_another_list_is_refused(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    calls = [
        ann.list(page_token=encode_page_token("collections", ("2026-01-01T00:00:00+00:00", str(uuid4())))),
        ann.list(page_token=encode_page_token("documents", ("yesterday", "x"))),
        ann.list(page_token=encode_page_token("documents", ("2026-01-01T00:00:00+00:00",))),
        ann.list(page_token="§"),
        ann.documents.ListChunks(
            pb.ListChunksRequest(
                document_id=document.document_id,
                page_token=encode_page_token(f"chunks of {document.document_id}", ("-1",)),
            )
        ),
        ann.documents.ListChunks(
            pb.ListChunksRequest(document_id=document.document_id, page_token=encode_page_token("chunks", ("1",)))
        ),
        ann.collections.ListCollections(collections_pb.ListCollectionsRequest(page_token="x")),
    ]
    for call in calls:
        assert (await refusal(call)).reason == "INVALID_PAGE_TOKEN"


async def test_chunks_are_listed_in_order_and_equal_the_text_they_were_cut_from(stack):
    ann = await stack.person()
    [document] = await ann.upload("Der Fuchs 🦊 springt über den Hund. ".encode() * 200)
    await stack.run_all()
    whole = (await ann.documents.GetDocumentText(pb.GetDocumentTextRequest(document_id=document.document_id))).text
    chunks, token = [], ""
    while True:
        request = pb.ListChunksRequest(document_id=document.document_id, page_size=7, page_token=token)
        page = await ann.documents.ListChunks(request)
        chunks += page.chunks
        token = page.next_page_token
        if not token:
            break
    assert [chunk.chunk_index for chunk in chunks] == list(range((await ann.get(document.document_id)).chunk_count))
    assert len(chunks) > 7
    assert all(chunk.text == whole[chunk.start_offset : chunk.end_offset] for chunk in chunks)
    assert "🦊" in whole


async def test_ranges_of_a_text_count_code_points_across_segments(stack):
    letters = "".join(chr(0x1F300 + number % 500) if number % 3 else "aé"[number % 2] for number in range(40_000))
    tenant = str(uuid4())
    ann = await stack.person(tenant)
    [document] = await ann.upload(b"text")
    async with stack.database.transaction(tenant_id=tenant) as connection:
        await replace_text(connection, tenant, document.version_id, letters)
    texts = PostgresTextStore(stack.database)
    edge = SEGMENT_CHARACTERS
    for start, end in (
        (0, 40_000),
        (0, 0),
        (5, 9),
        (edge - 1, edge + 1),
        (edge, 2 * edge),
        (edge * 2, 40_000),
        (39_999, 40_000),
    ):
        assert await texts.read_range(tenant, document.version_id, start, end) == letters[start:end]
    assert await stack.count("text_segments") == 3


def range_of(document, start, end, **more):
    fields = {"document_id": document.document_id, "version_id": document.version_id, **more}
    return pb.TextRange(start_offset=start, end_offset=end, **fields)


async def read_ranges(person, *ranges):
    found = await person.documents.BatchGetDocumentTexts(pb.BatchGetDocumentTextsRequest(ranges=ranges))
    return [None if each.is_missing else each.text for each in found.texts]


async def test_many_ranges_of_several_texts_come_in_their_order(stack):
    letters = "".join("aé"[number % 2] if number % 9 else chr(0x1F300 + number % 500) for number in range(40_000))
    tenant = str(uuid4())
    ann = await stack.person(tenant)
    first, second = await ann.upload(letters.encode()), await ann.upload(b"Other words stand here. " * 20)
    await stack.run_all()
    first, second = [await ann.get(document.document_id) for [document] in (first, second)]
    edge = SEGMENT_CHARACTERS
    places = [(5, 9), (edge - 1, edge + 1), (edge, 2 * edge), (0, 20_000), (39_000, 40_000), (0, 0), (5, 9)]
    wanted = [range_of(first, *place) for place in places]
    wanted.insert(3, range_of(second, 6, 11))
    whole = (await ann.documents.GetDocumentText(pb.GetDocumentTextRequest(document_id=first.document_id))).text
    expected = [whole[start:end] for start, end in places]
    expected.insert(3, "words")
    assert await read_ranges(ann, *wanted) == expected


async def test_a_range_that_cannot_be_had_is_missing_whyever_and_keeps_none_of_the_others(stack):
    tenant = str(uuid4())
    ann, bob = await stack.person(tenant), await stack.person(tenant)
    [private], [early] = await ann.upload(TEXT), await ann.upload(TEXT)
    await stack.run_all()
    private = await ann.get(private.document_id)
    wanted = [
        range_of(private, 4, 9),
        range_of(private, 4, 9, document_id=str(uuid4())),
        range_of(private, 4, 9, version_id=str(uuid4())),
        range_of(private, 4, private.character_count + 1),
        range_of(private, 4, 9, document_id=early.document_id),
    ]
    assert await read_ranges(ann, *wanted) == ["quick", None, None, None, None]
    for person in (bob, await stack.person()):
        assert await read_ranges(person, *wanted) == [None] * 5
    await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=private.document_id))
    assert await read_ranges(ann, *wanted) == [None] * 5


async def test_a_text_that_is_not_there_yet_is_missing(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    assert await read_ranges(ann, range_of(document, 0, 0), range_of(document, 0, 5)) == [None, None]


@pytest.mark.parametrize(("start", "end"), [(5, 4), (0, 20_001)])
async def test_a_range_that_is_none_refuses_the_call(stack, start, end):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    assert (await refusal(read_ranges(ann, range_of(document, start, end)))).reason == "INVALID_RANGE"


async def test_a_call_holds_fifty_ranges_at_most(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    for count in (0, 51):
        error = await refusal(read_ranges(ann, *[range_of(document, 0, 1)] * count))
        assert error.reason == "INVALID_FIELD"


async def test_a_range_outside_the_text_is_refused(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    early = pb.GetDocumentTextRequest(document_id=document.document_id)
    error = await refusal(ann.documents.GetDocumentText(early))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "DOCUMENT_NOT_READY")
    await stack.run_all()
    length = (await ann.get(document.document_id)).character_count
    for start, end in ((5, 4), (length + 1, length + 2), (length + 1, None)):
        request = pb.GetDocumentTextRequest(document_id=document.document_id, start_offset=start, end_offset=end)
        assert (await refusal(ann.documents.GetDocumentText(request))).reason == "INVALID_RANGE"
    beyond = pb.GetDocumentTextRequest(document_id=document.document_id, start_offset=4, end_offset=length + 9)
    assert len((await ann.documents.GetDocumentText(beyond)).text) == length - 4
    request = pb.GetDocumentTextRequest(document_id=document.document_id, start_offset=4, end_offset=9)
    answer = await ann.documents.GetDocumentText(request)
    assert (answer.text, answer.version_id) == ("quick", document.version_id)


async def test_a_text_too_long_for_one_answer_is_read_in_ranges(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.run_all()
    await stack.admin.execute("UPDATE ingestion.versions SET character_count = 1000001")
    request = pb.GetDocumentTextRequest(document_id=document.document_id)
    error = await refusal(ann.documents.GetDocumentText(request))
    assert error.reason == "INVALID_RANGE"
    assert "1000000" in error.message


async def test_the_file_comes_back_as_an_attachment_in_small_frames(stack):
    ann = await stack.person()
    [document] = await ann.upload(b"%PDF-1.7 " + b"0123456789" * 9_000, "über.pdf")
    metadata, frames = await read_content(ann, document.document_id)
    assert b"".join(frame.data for frame in frames) == b"%PDF-1.7 " + b"0123456789" * 9_000
    assert {frame.content_type for frame in frames} == {"application/octet-stream"}
    assert metadata["content-disposition"] == "attachment; filename=\"_ber.pdf\"; filename*=UTF-8''%C3%BCber.pdf"
    assert metadata["x-content-type-options"] == "nosniff"


async def test_leaving_a_download_lets_go_of_the_object_at_once(monkeypatch):
    closed = []

    class Objects:
        async def read(self, key, frame_bytes):
            try:
                yield b"first"
                yield b"second"
            finally:
                closed.append(key)

    class Context:
        async def send_initial_metadata(self, metadata):
            pass

    class Documents:
        async def find(self, caller, document_id):
            return SimpleNamespace(document_id=document_id, version_id="v", filename="a.txt")

    monkeypatch.setattr(
        "ingestion.servicers.documents.current_principal",
        lambda: SimpleNamespace(tenant_id="t", subject="u", is_admin=False, api_key_id=""),
    )
    servicer = DocumentServicer(None, DocumentReader(Documents(), None, Objects()), None, None, None)
    frames = servicer.GetDocumentContent(pb.GetDocumentContentRequest(document_id="d"), Context())
    assert (await anext(frames)).data == b"first"
    await frames.aclose()
    assert closed == ["t/d/v/raw"]


async def test_a_file_that_is_gone_already_is_not_found(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.objects.delete([Placement(ann.tenant_id, document.document_id, document.version_id).raw_key])
    assert (await refusal(read_content(ann, document.document_id))).reason == "DOCUMENT_NOT_FOUND"


def calls_about(person, document_id):
    """Every method that takes a document's id."""
    stub = person.documents
    return {
        "GetDocument": stub.GetDocument(pb.GetDocumentRequest(document_id=document_id)),
        "ListChunks": stub.ListChunks(pb.ListChunksRequest(document_id=document_id)),
        "GetDocumentText": stub.GetDocumentText(pb.GetDocumentTextRequest(document_id=document_id)),
        "GetDocumentContent": read_content(person, document_id),
        "DeleteDocument": stub.DeleteDocument(pb.DeleteDocumentRequest(document_id=document_id)),
    }


async def test_someone_elses_document_answers_like_a_missing_one(stack):
    ann = await stack.person()
    colleague, stranger = await stack.person(ann.tenant_id, Role.OWNER), await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.run_all()
    for person in (colleague, stranger):
        theirs, missing = calls_about(person, document.document_id), calls_about(person, str(uuid4()))
        for name, call in theirs.items():
            error, expected = await refusal(call), await refusal(missing[name])
            assert (error.code, error.reason) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND"), name
            assert error.message == expected.message, name
        assert list((await person.list()).documents) == []
        assert list((await person.list(collection_id=document.collection_id)).documents) == []
    assert (await ann.get(document.document_id)).state == document_pb2.Document.READY


async def test_a_shared_document_is_read_by_all_and_deleted_by_its_owner_or_an_admin(stack):
    boss = await stack.person(role=Role.ADMIN)
    member, admin = await stack.person(boss.tenant_id), await stack.person(boss.tenant_id, Role.ADMIN)
    shared = await create(boss, "Handbooks", "TENANT")
    [document] = await boss.upload(TEXT, collection_id=shared.collection_id)
    await stack.run_all()
    assert stack.index.versions[0].private_to_user_id == ""
    assert (await member.get(document.document_id)).document_id == document.document_id
    assert [found.document_id for found in (await member.list()).documents] == [document.document_id]
    delete = pb.DeleteDocumentRequest(document_id=document.document_id)
    assert (await refusal(member.documents.DeleteDocument(delete))).reason == "DOCUMENT_NOT_FOUND"
    await admin.documents.DeleteDocument(delete)
    assert (await refusal(admin.documents.DeleteDocument(delete))).reason == "DOCUMENT_NOT_FOUND"


async def test_deleting_at_once_from_two_places_queues_one_job(stack):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    delete = pb.DeleteDocumentRequest(document_id=document.document_id)
    results = await asyncio.gather(*(ann.documents.DeleteDocument(delete) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, pb.DeleteDocumentResponse) for result in results) == 1
    assert await stack.admin.fetchval("SELECT count(*) FROM ingestion.jobs WHERE kind = 'DELETE'") == 1
    assert await stack.count("jobs") == 1


async def test_collections_are_made_found_and_listed_by_those_who_may(stack):
    boss = await stack.person(role=Role.OWNER)
    member, stranger = await stack.person(boss.tenant_id), await stack.person()
    mine, shared = await create(boss, "Mine"), await create(boss, "All", "TENANT")
    assert (mine.visibility, mine.owner_user_id) == (collection_pb2.Collection.PRIVATE, boss.user_id)
    await member.upload(TEXT)

    async def listed(person):
        found = await person.collections.ListCollections(collections_pb.ListCollectionsRequest())
        return [collection.display_name for collection in found.collections]

    assert await listed(boss) == ["All", "Mine"]
    assert await listed(member) == ["My documents", "All"]
    assert await listed(stranger) == []
    get = collections_pb.GetCollectionRequest
    found = await member.collections.GetCollection(get(collection_id=shared.collection_id))
    assert found.collection == shared
    missing = await refusal(member.collections.GetCollection(get(collection_id=str(uuid4()))))
    for person, collection in ((member, mine), (stranger, mine), (stranger, shared)):
        error = await refusal(person.collections.GetCollection(get(collection_id=collection.collection_id)))
        assert (error.code, error.reason, error.message) == (missing.code, "COLLECTION_NOT_FOUND", missing.message)


async def test_collections_are_listed_page_by_page(stack):
    ann = await stack.person()
    for number in range(3):
        await create(ann, f"{number}")
    first = await ann.collections.ListCollections(collections_pb.ListCollectionsRequest(page_size=2))
    rest = await ann.collections.ListCollections(
        collections_pb.ListCollectionsRequest(page_size=2, page_token=first.next_page_token)
    )
    names = [collection.display_name for collection in (*first.collections, *rest.collections)]
    assert (names, rest.next_page_token) == (["2", "1", "0"], "")


async def test_a_collection_is_refused_for_its_name_or_its_maker(stack):
    ann = await stack.person()
    other = await stack.person(ann.tenant_id)
    await create(ann, "Papers")
    await create(other, "Papers")
    for name, visibility, reason in (
        (" Papers ", "PRIVATE", "COLLECTION_EXISTS"),
        ("Shared", "TENANT", "ACCESS_DENIED"),
        ("  ", "PRIVATE", "INVALID_FIELD"),
        ("a\x00b", "PRIVATE", "INVALID_FIELD"),
        ("", "PRIVATE", "INVALID_FIELD"),
    ):
        assert (await refusal(create(ann, name, visibility))).reason == reason


async def test_every_table_is_walled_and_shows_nothing_to_who_declares_nothing(stack):
    ann = await stack.person()
    await ann.upload(TEXT)
    await stack.run_all()
    await ann.upload(TEXT)
    tables = await stack.admin.fetch(
        "SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS walled,"
        " pg_get_userbyid(c.relowner) AS owner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'ingestion' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'"
    )
    await PostgresWorkerRegistry(stack.database).beat("worker")
    assert len(tables) == 10
    of_queue, of_both = {"workers", "reconciler"}, {"jobs", "turns"}
    for table in tables:
        name = table["name"]
        assert table["walled"], name
        assert table["owner"] == "docuchat_ingestion_owner", name
        assert await stack.count(name) > 0, f"{name}: nothing to hide"
        for settings in ({}, {"tenant_id": ""}, {"tenant_id": str(uuid4())}, {"scope": "all"}):
            assert await visible(stack, name, **settings) == 0, (name, settings)
        assert (await visible(stack, name, tenant_id=ann.tenant_id) > 0) == (name not in of_queue), name
        assert (await visible(stack, name, scope="jobs") > 0) == (name in of_queue | of_both), name


async def visible(stack, table, **settings):
    async with stack.database.transaction(**settings) as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM ingestion.{table}"))).scalar_one()


async def test_interleaved_and_cancelled_reads_on_a_small_pool_show_no_foreign_row(stack):
    people = [await stack.person() for _ in range(3)]
    for person in people:
        await person.upload(TEXT)

    async def look(person):
        found = (await person.list()).documents
        assert len(found) == 1
        mine = await person.get(found[0].document_id)
        assert mine.document_id == found[0].document_id
        return mine.document_id

    async def look_or_leave(number):
        task = asyncio.ensure_future(look(people[number % 3]))
        if number % 5 == 0:
            await asyncio.sleep(0.002)
            task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    seen = {}
    for start in range(0, 300, 30):
        results = await asyncio.gather(*(look_or_leave(number) for number in range(start, start + 30)))
        for number, result in enumerate(results, start):
            if isinstance(result, str):
                seen.setdefault(number % 3, set()).add(result)
            else:
                assert isinstance(result, asyncio.CancelledError), result
    assert [len(ids) for ids in seen.values()] == [1, 1, 1]
    assert len(set.union(*seen.values())) == 3
