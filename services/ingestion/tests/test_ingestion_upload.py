"""Uploading through the real server: what is stored, what is refused, and that nothing is left of a refusal."""

import asyncio
import hashlib
import io
import tracemalloc
import zipfile
from uuid import uuid4

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from docuchat.ingestion.v1 import collection_service_pb2, document_pb2
from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.stores.documents import AWAIT_UPLOAD, PostgresDocumentStore
from servicekit.database import Database
from servicekit.errors import DependencyUnavailable
from servicekit.identity import Role
from servicekit.rpc.status import read_error

PDF = b"%PDF-1.7\n" + b"x" * 50_000
FORM = "multipart/form-data; boundary=frontier"


def form(*parts, end=True):
    """A multipart body of (headers, data) pairs."""
    body = b"".join(b"--frontier\r\n" + headers + b"\r\n\r\n" + data + b"\r\n" for headers, data in parts)
    return body + (b"--frontier--\r\n" if end else b"")


def file_part(filename, data):
    return f'Content-Disposition: form-data; name="file"; filename="{filename}"'.encode(), data


def field_part(name, value):
    return f'Content-Disposition: form-data; name="{name}"'.encode(), value


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read_error(caught.value)


async def assert_nothing_kept(stack):
    assert await stack.keys() == []
    for table in ("documents", "versions", "jobs"):
        assert await stack.count(table) == 0, table


async def test_a_raw_body_becomes_a_document_with_its_digest_and_a_job(stack):
    ann = await stack.person()
    [document] = await ann.upload(PDF, "paper.pdf", frame_bytes=4096)
    assert document.filename == document.title == "paper.pdf"
    assert document.state == document_pb2.Document.UPLOADED
    assert (document.size_bytes, document.sha256) == (len(PDF), hashlib.sha256(PDF).hexdigest())
    assert document.content_type == "application/pdf"
    assert document.create_time.seconds > 0
    assert not document.HasField("process_time")
    assert await stack.keys() == [f"{ann.tenant_id}/{document.document_id}/{document.version_id}/raw"]
    assert await stack.admin.fetchval("SELECT kind || state FROM ingestion.jobs") == "PROCESSQUEUED"


async def test_a_form_with_several_files_becomes_documents_in_its_order(stack):
    ann = await stack.person()
    body = form(file_part("a.txt", b"first\r\n--fron"), field_part("comment", b"hi"), file_part("b.md", b"# second"))
    for frame_bytes in (1, 7, 1 << 20):
        documents = await ann.upload(body, content_type=FORM, frame_bytes=frame_bytes)
        assert [document.filename for document in documents] == ["a.txt", "b.md"]
        assert [document.content_type for document in documents] == ["text/plain", "text/markdown"]
        assert documents[0].sha256 == hashlib.sha256(b"first\r\n--fron").hexdigest()
    assert len(await stack.keys()) == 6


async def test_the_collection_field_of_a_form_counts_even_behind_the_files(stack):
    ann = await stack.person()
    made = await ann.collections.CreateCollection(collection_service_pb2.CreateCollectionRequest(display_name="Papers"))
    wanted = made.collection.collection_id
    body = form(file_part("a.txt", b"text"), field_part("collection_id", wanted.encode()))
    [document] = await ann.upload(body, content_type=FORM)
    assert document.collection_id == wanted


async def test_a_file_field_in_which_nothing_was_chosen_is_no_file(stack):
    ann = await stack.person()
    [document] = await ann.upload(form(file_part("", b""), file_part("a.txt", b"text")), content_type=FORM)
    assert document.filename == "a.txt"


def zip_of(*names, content="text", compression=zipfile.ZIP_STORED):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name in names:
            archive.writestr(name, content)
    return memory.getvalue()


REFUSALS = [
    (b"", "", "EMPTY"),
    (b"\x89PNG\r\n\x1a\n" + bytes(5000), "", "UNSUPPORTED_TYPE"),
    (b"<html><script>alert(1)</script></html>", "", "UNSUPPORTED_TYPE"),
    (zip_of("holiday.txt"), "", "UNSUPPORTED_TYPE"),
    (zip_of("[Content_Types].xml", "xl/workbook.xml"), "", "UNSUPPORTED_TYPE"),
    (b"text for a while " * 400 + bytes(10), "", "UNSUPPORTED_TYPE"),
    (b"y" * 100_001, "", "FILE_TOO_LARGE"),
    (form(), FORM, "NO_FILE"),
    (form(field_part("comment", b"hi")), FORM, "NO_FILE"),
    (form(file_part("a.txt", b"fine"), file_part("b.txt", b"")), FORM, "EMPTY"),
    (form(file_part("a.txt", b"fine"), file_part("b.txt", b"z" * 100_001)), FORM, "FILE_TOO_LARGE"),
    (form(*(file_part(f"{number}.txt", b"fine") for number in range(4))), FORM, "TOO_MANY_FILES"),
    (form(file_part("a.txt", b"fine"), end=False), FORM, "INVALID_MULTIPART"),
    (b"no boundary here", FORM, "INVALID_MULTIPART"),
    (form((b"X" * 20_000 + b": y", b"fine")), FORM, "INVALID_MULTIPART"),
    (form(*[field_part("x", b"y")] * 101), FORM, "INVALID_MULTIPART"),
    (form(field_part("x", b"y" * 5000)), FORM, "INVALID_MULTIPART"),
    (b"fine", "multipart/form-data", "INVALID_MULTIPART"),
    (form(file_part("a.txt", b"fine"), field_part("collection_id", b"../x")), FORM, "INVALID_FIELD"),
]


async def test_a_refused_upload_says_why_and_leaves_nothing(stack):
    ann = await stack.person()
    for data, content_type, reason in REFUSALS:
        error = await refusal(ann.upload(data, content_type=content_type))
        assert (error.code, error.reason) == ("INVALID_ARGUMENT", reason), data[:60]
        assert error.message
    await assert_nothing_kept(stack)


async def test_an_upload_without_any_frame_is_no_file(stack):
    ann = await stack.person()

    async def nothing():
        return
        yield

    assert (await refusal(ann.documents.UploadDocuments(nothing()))).reason == "NO_FILE"


async def test_an_unsupported_type_names_what_is_accepted(stack):
    error = await refusal((await stack.person()).upload(b"MZ\x00\x01", "setup.exe"))
    for word in ("PDF", "DOCX", "Markdown", "plain text"):
        assert word in error.message


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_nothing_of_an_upload_is_inflated_in_the_server(stack, compression):
    ann = await stack.person()
    content = b"wordprocessingml.document.main+xml" + bytes(64 * 1024**2)
    bomb = zip_of("[Content_Types].xml", "word/document.xml", content=content, compression=compression)
    tracemalloc.start()
    [document] = await ann.upload(bomb, "bomb.docx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024**2
    assert document.content_type.endswith("wordprocessingml.document")


async def test_an_upload_is_inspected_without_a_file_of_its_own(stack, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    ann = await stack.person()
    [document] = await ann.upload(b"words " * 5000, "a.txt")
    assert document.content_type == "text/plain"


async def test_an_upload_that_stops_or_dribbles_is_dropped(stack):
    ann = await stack.person()

    async def requests(pause):
        for _ in range(20):
            yield pb.UploadDocumentsRequest(filename="slow.txt", file=HttpBody(data=b"x"))
            await asyncio.sleep(pause)

    for pause in (0.2, 5):
        error = await asyncio.wait_for(refusal(ann.documents.UploadDocuments(requests(pause))), 3)
        assert (error.code, error.reason) == ("ABORTED", "UPLOAD_STALLED")
    await assert_nothing_kept(stack)


async def test_a_cancelled_upload_leaves_nothing(stack):
    ann = await stack.person()
    sent = asyncio.Event()

    async def requests():
        yield pb.UploadDocumentsRequest(
            file=HttpBody(content_type=FORM, data=form(file_part("a.txt", b"t"), end=False))
        )
        yield pb.UploadDocumentsRequest(file=HttpBody(data=b"--frontier\r\n"))
        sent.set()
        await asyncio.sleep(60)

    call = ann.documents.UploadDocuments(requests())
    waiting = asyncio.ensure_future(call.code())
    await sent.wait()
    await until(lambda: has_keys(stack))
    call.cancel()
    await waiting
    await until(lambda: has_no_keys(stack))
    await assert_nothing_kept(stack)


async def has_keys(stack):
    return await stack.keys() != []


async def has_no_keys(stack):
    return await stack.keys() == []


async def until(condition):
    async with asyncio.timeout(5):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in another process or thread
            await asyncio.sleep(0.01)


async def test_a_failed_transaction_takes_the_files_with_it(stack):
    ann = await stack.person()
    await stack.admin.execute("DROP TABLE ingestion.jobs")
    error = await refusal(ann.upload(b"some text"))
    assert error.reason == "INTERNAL_ERROR"
    assert await stack.keys() == []
    assert await stack.count("documents") == 0


async def test_an_upload_that_fails_while_the_database_is_away_leaves_nothing_once_it_is_back(stack, monkeypatch):
    monkeypatch.setattr("ingestion.pipeline.discard.ASK_AGAIN_AFTER", (0.05,) * 100)
    transaction, create, away = Database.transaction, PostgresDocumentStore.create, []

    def flickering(self, **settings):
        if away:
            raise DependencyUnavailable("postgresql")
        return transaction(self, **settings)

    async def leave(self, *arguments):
        away.append(True)
        return await create(self, *arguments)

    monkeypatch.setattr(Database, "transaction", flickering)
    monkeypatch.setattr(PostgresDocumentStore, "create", leave)
    ann = await stack.person()
    assert (await refusal(ann.upload(b"some text"))).reason == "DEPENDENCY_UNAVAILABLE"
    assert await stack.keys() != []
    away.clear()
    await until(lambda: has_no_keys(stack))
    await assert_nothing_kept(stack)


async def test_whoever_asks_whether_an_upload_happened_waits_for_its_transaction(stack):
    """A commit whose client has gone may still come; deciding before it would leave a row without a file."""
    ann = await stack.person()
    version_id = str(uuid4())
    async with stack.database.transaction(tenant_id=ann.tenant_id) as connection:
        await connection.execute(AWAIT_UPLOAD, {"version_id": version_id})
        asked = asyncio.ensure_future(PostgresDocumentStore(stack.database).has_version(ann.tenant_id, version_id))
        _, waiting = await asyncio.wait([asked], timeout=0.3)
        assert waiting
    assert await asyncio.wait_for(asked, 5) is False


async def test_a_filename_is_shown_without_what_could_harm_and_is_no_part_of_a_key(stack):
    ann = await stack.person()
    [document] = await ann.upload(b"some text", "../../etc/pass\x00wd\u202etxt.txt")
    assert document.filename == "passwdtxt.txt"
    assert ["passwd" in key for key in await stack.keys()] == [False]
    [document] = await ann.upload(b"some text", "..")
    assert document.filename == "text.txt"


async def test_a_form_keeps_a_long_unicode_filename_within_its_bounds(stack):
    ann = await stack.person()
    [document] = await ann.upload(form(file_part("ü" * 3000 + ".md", b"# text")), content_type=FORM)
    assert document.filename == "ü" * 252 + ".md"


async def test_first_uploads_at_once_share_one_default_collection(stack):
    ann = await stack.person()
    uploads = await asyncio.gather(*(ann.upload(b"text %d" % number) for number in range(8)))
    assert len({document.collection_id for [document] in uploads}) == 1
    assert await stack.count("collections") == 1


async def test_text_that_is_no_file_becomes_a_document(stack):
    ann = await stack.person()
    answer = await ann.documents.CreateDocumentFromText(pb.CreateDocumentFromTextRequest(text="%PDF-1.7 is typed text"))
    assert (answer.document.filename, answer.document.content_type) == ("text.md", "text/markdown")
    answer = await ann.documents.CreateDocumentFromText(pb.CreateDocumentFromTextRequest(text="x", filename="n.TXT"))
    assert answer.document.content_type == "text/plain"


async def test_blank_text_is_refused(stack):
    ann = await stack.person()
    error = await refusal(ann.documents.CreateDocumentFromText(pb.CreateDocumentFromTextRequest(text=" \n ")))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "EMPTY")


async def test_nobody_uploads_into_a_collection_they_may_not_write_to(stack):
    owner = await stack.person(role=Role.ADMIN)
    member, stranger = await stack.person(owner.tenant_id), await stack.person()
    shared = collection_service_pb2.CreateCollectionRequest(display_name="All", visibility="TENANT")
    collection_id = (await owner.collections.CreateCollection(shared)).collection.collection_id
    missing = await refusal(owner.upload(b"text", collection_id=str(uuid4())))
    for person in (member, stranger):
        error = await refusal(person.upload(b"text", collection_id=collection_id))
        assert (error.code, error.reason, error.message) == (missing.code, missing.reason, missing.message)
        body = form(file_part("a.txt", b"text"), field_part("collection_id", collection_id.encode()))
        assert (await refusal(person.upload(body, content_type=FORM))).reason == "COLLECTION_NOT_FOUND"
    await assert_nothing_kept(stack)
    second_admin = await stack.person(owner.tenant_id, Role.OWNER)
    assert await second_admin.upload(b"text", collection_id=collection_id)
