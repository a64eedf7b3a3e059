"""Uploads that break off, and many at once."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import grpc
import pytest
from google.api import httpbody_pb2

from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub

AT_ONCE = 30
# What nobody told the service of ends with its patience for an upload that brings nothing, after 30 seconds.
CLEAN_SECONDS = 60


def break_off_http(stack, user):
    """Says that 5 MB will come, sends a tenth once that is welcome, and hangs up."""
    head = f"POST /v1/documents?filename=a.txt HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {user.token}\r\n"
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        connection.sendall(f"{head}content-length: 5000000\r\nexpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello world " * 40_000)


def break_off_grpc(stack, user):
    """Cancels a client stream between two frames."""
    sent, gone = Event(), Event()

    def frames():
        yield document_service_pb2.UploadDocumentsRequest(
            filename="a.txt", file=httpbody_pb2.HttpBody(data=b"hello world " * 20_000)
        )
        sent.set()
        gone.wait(10)

    metadata = [("authorization", f"Bearer {user.token}")]
    with grpc.insecure_channel(f"127.0.0.1:{stack.port}") as channel:
        call = DocumentServiceStub(channel).UploadDocuments.future(frames(), timeout=10, metadata=metadata)
        assert sent.wait(10)
        call.cancel()
        gone.set()


@pytest.mark.parametrize("break_off", [break_off_http, break_off_grpc], ids=["http", "grpc"])
def test_an_upload_that_breaks_off_leaves_nothing(stack, user, break_off):
    before = stack.stored_files()
    break_off(stack, user)
    end = time.monotonic() + CLEAN_SECONDS
    while stack.stored_files() - before and time.monotonic() < end:
        time.sleep(0.1)
    assert stack.stored_files() - before == set()
    assert user.http.get("/v1/documents").json["documents"] == []


def test_a_body_of_unknown_length_is_taken(stack, user):
    body = b"# Tide\n\nThe tide turns at noon."
    head = f"POST /v1/documents?filename=tide.md HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {user.token}\r\n"
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + framed)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    (document,) = user.http.get("/v1/documents").json["documents"]
    assert document["size_bytes"] == len(body)


def test_many_uploads_at_once_all_become_ready(user):
    def upload(number):
        return user.upload(f"# Note {number}\n\nThe harbour light number {number} is green.".encode(), f"{number}.md")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(upload, range(AT_ONCE)))
    assert len(set(ids)) == AT_ONCE
    assert {user.wait(document_id, 90)["state"] for document_id in ids} == {"READY"}


def test_the_same_file_twice_is_two_documents(user):
    ids = {user.upload(b"# Same\n\nThe same bytes.", "same.md") for _ in range(2)}
    assert len(ids) == 2
    assert {user.wait(document_id)["state"] for document_id in ids} == {"READY"}


NAMES = {
    "../../etc/passwd.md": "passwd.md",
    "C:\\boot.md": "boot.md",
    "a\u202efdp.md": "afdp.md",
    "a\r\nset-cookie: b=c.md": "a set-cookie: b=c.md",
    "فهرست می‌شود.md": "فهرست می‌شود.md",
    "a b&c=d.md": "a b&c=d.md",
}


@pytest.mark.parametrize("filename", NAMES)
def test_a_name_is_kept_as_a_name_and_never_a_path(stack, user, filename):
    outside = set(stack.home.parent.iterdir())
    document = user.upload_ready(b"# Name\n\nText.", filename)
    assert document["filename"] == NAMES[filename]
    assert not any("passwd" in path.name for path in stack.stored_files())
    assert set(stack.home.parent.iterdir()) == outside
    content = user.http.get(f"/v1/documents/{document['document_id']}/content")
    assert content.status == 200
    assert content.headers["content-disposition"].startswith("attachment")
    assert "set-cookie" not in content.headers


FORM = "multipart/form-data"


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        (f"{FORM}; boundary=x", b"--x\r\ngarbage", "INVALID_MULTIPART"),
        (FORM, b"--x\r\n\r\n--x--", "INVALID_MULTIPART"),
        (f"{FORM}; boundary=x", b"--x--\r\n", "NO_FILE"),
    ],
    ids=["cut off", "without a boundary", "without a part"],
)
def test_a_form_that_cannot_be_read_is_refused(user, content_type, body, reason):
    reply = user.http.send("POST", "/v1/documents", body, {"content-type": content_type})
    assert (reply.status, reply.reason) == (400, reason)


def test_a_form_with_more_files_than_allowed_stores_none(stack, user):
    before = stack.stored_files()
    reply = user.http.upload_form(*((f"{number}.md", b"# File\n\nText.") for number in range(21)))
    assert (reply.status, reply.reason) == (400, "TOO_MANY_FILES")
    assert user.http.get("/v1/documents").json["documents"] == []
    assert stack.stored_files() <= before


def test_text_outside_the_basic_plane_keeps_its_offsets(user):
    text = "# 😀 Zoo\n\nThe 👩‍👩‍👧 family 🎉 lives in Zürich. The zebra 🦓 was born in 1999 in Kyoto.\n"
    document = user.upload_ready(text.encode(), "zoo.md")
    canonical, chunks = user.text(document["document_id"]), user.chunks(document["document_id"])
    assert document["character_count"] == len(canonical)
    assert chunks
    assert all(chunk["text"] == canonical[chunk["start_offset"] : chunk["end_offset"]] for chunk in chunks)
    (citation, *_) = [event["citation"] for event in user.ask("Where was the zebra born?") if "citation" in event]
    assert "🦓" in citation["quote"]
    assert citation["quote"] == canonical[citation["start_offset"] : citation["end_offset"]]
