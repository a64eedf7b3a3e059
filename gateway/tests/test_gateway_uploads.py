"""Files in and out: bytes pass in frames, the query string fills the first one."""

import threading

MEBIBYTE = 1024 * 1024


def upload(gateway, body, content_type="application/pdf", query="?filename=a%20b.pdf"):
    return gateway.send("POST", f"/v1/documents{query}", body, {"content-type": content_type})


def test_a_raw_body_arrives_in_frames_and_the_first_one_has_the_file_name(gateway):
    collection = "6b1d2c0e-5a1b-4c3d-9e8f-0123456789ab"
    body = bytes(range(256)) * 20_000
    reply = upload(gateway, body, query=f"?filename=a%20b%2Bc.pdf&collection_id={collection}")
    frames = gateway.journal.frames
    assert (reply.status, reply.json["documents"][0]["size_bytes"]) == (200, len(body))
    assert (frames[0].filename, frames[0].collection_id) == ("a b+c.pdf", collection)
    assert frames[0].file.content_type == "application/pdf"
    assert {(frame.filename, frame.file.content_type) for frame in frames[1:]} == {("", "")}
    assert b"".join(frame.file.data for frame in frames) == body
    assert max(len(frame.file.data) for frame in frames) <= MEBIBYTE


def test_multipart_passes_untouched_with_its_boundary(gateway):
    body = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
    upload(gateway, body, "multipart/form-data; boundary=x", query="")
    frames = gateway.journal.frames
    assert frames[0].file.content_type == "multipart/form-data; boundary=x"
    assert b"".join(frame.file.data for frame in frames) == body


def test_more_than_25_megabytes_reach_the_service_which_owns_that_limit(gateway):
    assert upload(gateway, b"x" * 26_000_000).json["documents"][0]["size_bytes"] == 26_000_000


def test_an_empty_upload_is_one_empty_frame(gateway):
    upload(gateway, b"")
    assert [frame.file.data for frame in gateway.journal.frames] == [b""]
    assert gateway.journal.frames[0].filename == "a b.pdf"


def test_an_unknown_query_parameter_of_an_upload_is_refused(gateway):
    reply = upload(gateway, b"x", query="?filename=a&owner=me")
    assert (reply.status, reply.reason) == (400, "INVALID_QUERY")


def test_a_file_comes_out_with_the_headers_its_service_sets(gateway):
    reply = gateway.send("GET", "/v1/documents/a/content")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == 'attachment; filename="a.pdf"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.body == b"x" * (40 * 65536)


def test_uploads_at_once_do_not_wait_for_each_other(gateway):
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(upload(gateway, b"y" * 3_000_000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 8
