import hashlib
from uuid import UUID

from tests.conftest import LIGHTHOUSE
from tests.documents import encrypt_pdf, make_pdf, make_report

PERSIAN = "# گزارش\n\nفانوس دریایی نورویک در سال ۱۲۵۳ ساخته شد. می‌توان نور آن را از ۲۷ مایل دید.\n"


def test_a_raw_upload_says_what_was_stored(user):
    content = make_pdf(*LIGHTHOUSE)
    (document,) = user.http.upload(content, "lighthouse.pdf").json["documents"]
    assert UUID(document["document_id"])
    assert document["filename"] == "lighthouse.pdf"
    assert document["size_bytes"] == len(content)
    assert document["sha256"] == hashlib.sha256(content).hexdigest()
    assert document["content_type"] == "application/pdf"
    assert document["state"] in {"UPLOADED", "PARSING", "CHUNKING", "INDEXING", "READY"}


def test_a_pdf_becomes_ready_with_pages_and_text(owner, lighthouse):
    assert lighthouse["page_count"] == 2
    assert lighthouse["chunk_count"] >= 1
    assert lighthouse["token_count"] > 20
    assert lighthouse["language"] == "en"
    assert lighthouse["process_time"]
    text = owner.text(lighthouse["document_id"])
    assert "built in 1874 by the engineer Ada Lindqvist" in " ".join(text.split())
    assert lighthouse["character_count"] == len(text)


def test_a_form_uploads_several_files(user):
    reply = user.http.upload_form(("a.md", b"# One\n\nThe first file."), ("b.txt", "Zweite Datei, größer.".encode()))
    assert reply.status == 200, reply.body
    first, second = reply.json["documents"]
    assert [first["filename"], second["filename"]] == ["a.md", "b.txt"]
    assert [first["content_type"], second["content_type"]] == ["text/markdown", "text/plain"]
    assert [user.wait(row["document_id"])["state"] for row in (first, second)] == ["READY", "READY"]


def test_text_that_is_no_file_is_a_document_too(user):
    reply = user.http.post("/v1/documents:from-text", text=PERSIAN, filename="note.md")
    document = user.wait(reply.json["document"]["document_id"])
    assert (document["state"], document["language"]) == ("READY", "fa")
    text = user.text(document["document_id"])
    assert "می‌توان نور آن را از ۲۷ مایل دید." in text
    assert document["character_count"] == len(text)


def test_every_chunk_is_the_text_between_its_offsets(user):
    document = user.upload_ready((PERSIAN + make_report(6)).encode(), "report.md")
    text, chunks = user.text(document["document_id"]), user.chunks(document["document_id"])
    assert [chunk["chunk_index"] for chunk in chunks] == list(range(document["chunk_count"]))
    assert len(chunks) >= 5
    assert all(chunk["text"] == text[chunk["start_offset"] : chunk["end_offset"]] for chunk in chunks)
    assert all(chunk["token_count"] <= 400 for chunk in chunks)
    assert ["Gauge 3"] in [chunk["heading_path"][-1:] for chunk in chunks]


def test_a_range_of_the_text_can_be_read(owner, lighthouse):
    path = f"/v1/documents/{lighthouse['document_id']}/text"
    text = owner.http.get(path).json["text"]
    assert owner.http.get(path, start_offset=4, end_offset=14).json["text"] == text[4:14]
    assert owner.http.get(path, start_offset=len(text) - 5).json["text"] == text[-5:]
    reply = owner.http.get(path, start_offset=len(text) + 1)
    assert (reply.status, reply.reason) == (400, "INVALID_RANGE")


def test_the_file_comes_back_byte_for_byte_as_an_attachment(owner, lighthouse):
    reply = owner.http.get(f"/v1/documents/{lighthouse['document_id']}/content")
    assert hashlib.sha256(reply.body).hexdigest() == lighthouse["sha256"]
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_documents_are_listed_newest_first_page_by_page(user):
    ids = [user.upload(f"# Number {number}\n\nText.".encode(), f"{number}.md") for number in range(3)]
    first = user.http.get("/v1/documents", page_size=2).json
    rest = user.http.get("/v1/documents", page_size=2, page_token=first["next_page_token"]).json
    assert [row["document_id"] for row in first["documents"] + rest["documents"]] == ids[::-1]
    assert rest["next_page_token"] == ""


def test_documents_can_be_listed_by_state(user):
    user.upload_ready(b"# Good\n\nText.", "good.md")
    user.wait(user.upload(encrypt_pdf(make_pdf("secret")), "locked.pdf"))
    rows = user.http.get("/v1/documents", state="FAILED").json["documents"]
    assert [row["filename"] for row in rows] == ["locked.pdf"]


def test_a_deleted_document_is_gone_from_everywhere(user):
    document = user.upload_ready(b"# Otters\n\nOtters sleep in groups called rafts.", "otters.md")
    path = f"/v1/documents/{document['document_id']}"
    assert user.http.post("/v1/search", query="otters").json["hits"]
    assert user.http.delete(path).status == 200
    assert user.http.post("/v1/search", query="otters").json["hits"] == []
    assert user.http.get("/v1/documents").json["documents"] == []
    replies = [user.http.get(f"{path}{part}") for part in ("", "/text", "/chunks", "/content")]
    assert [(reply.status, reply.reason) for reply in (*replies, user.http.delete(path))] == [
        (404, "DOCUMENT_NOT_FOUND")
    ] * 5


def test_a_collection_holds_what_was_uploaded_into_it(user):
    created = user.http.post("/v1/collections", display_name="Harbour").json["collection"]
    assert created["visibility"] == "PRIVATE"
    reply = user.http.post(
        "/v1/documents:from-text", text="# Pier\n\nThe pier is long.", collection_id=created["collection_id"]
    )
    document = user.wait(reply.json["document"]["document_id"])
    user.upload_ready(b"# Elsewhere\n\nThe pier is not here.", "other.md")
    rows = user.http.get("/v1/documents", collection_id=created["collection_id"]).json["documents"]
    assert [row["document_id"] for row in rows] == [document["document_id"]]
    hits = user.http.post("/v1/search", query="pier", collection_ids=[created["collection_id"]]).json["hits"]
    assert {hit["document_id"] for hit in hits} == {document["document_id"]}
