"""HTTP/JSON callers: answers, server-sent events, and errors of one shape whoever makes them."""

import time

import pytest


def test_health_is_a_json_get(gateway):
    reply = gateway.send("GET", "/health")
    assert (reply.status, reply.json) == (200, {"status": "SERVING"})


def test_a_stream_is_server_sent_events_with_snake_case_names_and_zero_values(gateway):
    reply = gateway.post_json("/v1/ask", {"question": "one two"})
    assert reply.headers["content-type"] == "text/event-stream"
    assert [event["sequence"] for event in reply.events] == [1, 2, 3]
    assert reply.events[0]["text_delta"] == {"text": "one"}
    assert reply.events[2]["completed"]["finish_reason"] == "STOP"
    assert reply.events[2]["completed"]["latency_ms"] == 0


def test_an_error_of_a_service_becomes_its_http_status_with_details(gateway):
    reply = gateway.post_json("/v1/auth/login", {"email": "x@example.org", "password": "p"})
    assert reply.status == 401
    assert reply.json["code"] == 16
    assert reply.json["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (reply.reason, reply.json["details"][0]["domain"]) == ("INVALID_CREDENTIALS", "auth.docuchat")


LOGIN = "/v1/auth/login"
BAD_REQUESTS = [
    ("POST", LOGIN, b'{"email":"a","passwort":"b"}', 400, "UNKNOWN_FIELD", "passwort"),
    ("POST", "/v1/ask", b'{"question":"a","document_ids":["x"],"top":1}', 400, "UNKNOWN_FIELD", "top"),
    ("POST", LOGIN, b'{"email": ', 400, "INVALID_JSON", "too early"),
    ("POST", LOGIN, b'{"email": 3}', 400, "INVALID_JSON", "email"),
    ("POST", LOGIN, b"[1]", 400, "INVALID_JSON", ""),
    ("POST", LOGIN, b"[}", 400, "INVALID_JSON", ""),
    ("GET", "/v1/documents?color=red", None, 400, "INVALID_QUERY", "color"),
    ("GET", "/v1/documents?page_size=many", None, 400, "INVALID_QUERY", "page_size"),
    ("GET", "/v1/nothing", None, 404, "UNKNOWN_PATH", "method and path"),
    ("GET", LOGIN, None, 405, "METHOD_NOT_ALLOWED", ""),
    ("PUT", "/v1/documents/3", None, 405, "METHOD_NOT_ALLOWED", ""),
    ("PUT", "/v1/documents:from-nowhere", None, 404, "UNKNOWN_PATH", ""),
    ("PUT", "/v1/documents/3/4/5", None, 404, "UNKNOWN_PATH", ""),
    ("POST", LOGIN, b"{'email':'a'}", 400, "INVALID_JSON", "quotes"),
    ("POST", LOGIN, b'{email:"a"}', 400, "INVALID_JSON", "quotes"),
    ("POST", LOGIN, b'{"email":"a","email":"b"}', 400, "INVALID_JSON", "second time"),
    ("POST", LOGIN, b'{"email":"a\nb"}', 400, "INVALID_JSON", "control character"),
    ("POST", LOGIN, b'{"email":"a",}', 400, "INVALID_JSON", "quotes"),
    ("POST", LOGIN, b'{"email":a}', 400, "INVALID_JSON", "not JSON"),
    ("POST", LOGIN, b'{"email":"' + b"x" * 65536 + b'"}', 413, "BODY_TOO_LARGE", ""),
    ("POST", "/v1/ask", b'{"question":"' + b"x" * 200_000 + b'"}', 413, "BODY_TOO_LARGE", ""),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "reason", "hint"), BAD_REQUESTS)
def test_what_the_gateway_refuses_says_why_in_the_shape_of_a_status(gateway, method, path, body, status, reason, hint):
    handled = gateway.journal.handled
    reply = gateway.send(method, path, body)
    assert (reply.status, reply.reason) == (status, reason)
    assert hint in reply.json["message"]
    assert isinstance(reply.json["code"], int)
    assert reply.json["details"][0]["domain"] == "gateway.docuchat"
    assert reply.json["details"][0]["metadata"]["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["content-type"] == "application/json"
    assert gateway.journal.handled == handled


def test_bad_http_says_so_even_before_a_request_id_exists(gateway):
    for path, headers in (("/health", {"x_user_id": "1"}), ("/v1%2fdocuments", {})):
        reply = gateway.send("GET", path, None, headers)
        assert (reply.status, reply.reason) == (400, "INVALID_HTTP")
        assert reply.json["details"][0].get("metadata", {}) == {}
    assert gateway.send("GET", "/health", None, {"authorization": "x" * 40_000}).reason == "HEADERS_TOO_LARGE"


def test_a_service_that_is_down_answers_unavailable(lonely_gateway):
    for reply in (lonely_gateway.send("GET", "/health"), lonely_gateway.post_json("/v1/ask", {"question": "a"})):
        assert (reply.status, reply.json["code"], reply.reason) == (503, 14, "UPSTREAM_UNAVAILABLE")


def test_a_service_that_is_slow_answers_deadline_exceeded(hasty_gateway):
    reply = hasty_gateway.post_json("/v1/auth/login", {"email": "slow@example.org", "password": "p"})
    assert (reply.status, reply.json["code"], reply.reason) == (504, 4, "UPSTREAM_TIMEOUT")


def test_a_long_text_passes_whole(gateway):
    assert gateway.send("GET", "/v1/documents/a/text").json["text"] == "ß" * 2_000_000


def test_both_spellings_of_a_field_are_known_and_free_nesting_costs_nothing(gateway):
    assert gateway.post_json("/v1/ask", {"question": "a", "documentIds": []}).status == 200
    deep = b'{"question":' + b"[" * 60_000 + b"]" * 60_000 + b"}"
    started = time.monotonic()
    assert gateway.send("POST", "/v1/ask", deep).reason == "INVALID_JSON"
    assert time.monotonic() - started < 5


def test_quotes_and_braces_inside_strings_are_not_structure(gateway):
    question = 'say "} , { [ ] \\" twice'
    reply = gateway.post_json("/v1/ask", {"question": question})
    assert " ".join(event["text_delta"]["text"] for event in reply.events[:-1]) == question


def test_a_text_as_long_as_its_method_allows_passes(gateway):
    text = '{"text":"' + "\\u0633" * 1_000_000 + '"}'
    assert gateway.send("POST", "/v1/documents:from-text", text.encode()).status == 501


def test_the_access_log_holds_no_query_string_and_no_token(gateway):
    gateway.send("GET", "/v1/documents", None, {"authorization": "Bearer secret-token"})
    reply = gateway.send("GET", "/v1/documents?page_token=secret-page")
    line = gateway.find_log_line(reply.headers["x-request-id"])
    assert (line["path"], line["status"]) == ("/v1/documents", 200)
    assert line["rpc"] == "/docuchat.ingestion.v1.DocumentService/ListDocuments"
    assert "secret" not in gateway.log.read_text()
    assert gateway.token[-8:] not in gateway.log.read_text()


SECRETS = [
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl",
    "Zk3_hQ-9xW0aP7rT2mC5vB8nL1yD4sG6",
    "0123456789abcdef01234567",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_access_log_shows_words_and_ids_of_a_path_and_nothing_else(gateway, secret):
    document = "6b1d2c0e-5a1b-4c3d-9e8f-0123456789ab"
    for path in (f"/v1/documents/{secret}/text", f"/v1/nothing/{secret}", f"/{secret}", f"/x/%2e%2e/{secret}#a"):
        gateway.send("GET", path)
    reply = gateway.send("GET", f"/v1/documents/{document}/text?a={secret}")
    assert gateway.find_log_line(reply.headers["x-request-id"])["path"] == f"/v1/documents/{document}/text"
    assert secret not in gateway.log.read_text()


def test_a_path_with_another_verb_says_which_verbs_it_answers_to(gateway):
    assert gateway.send("PUT", "/v1/documents").headers["allow"] == "GET, POST"
    assert gateway.send("POST", "/v1/documents/3", b"{}").headers["allow"] == "DELETE, GET"


def test_head_has_no_body_whatever_the_answer(gateway):
    reply = gateway.send("HEAD", "/health")
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "GET", b"")


def test_an_unknown_transfer_encoding_is_the_callers_fault(gateway):
    reply = gateway.send("POST", LOGIN, None, {"transfer-encoding": "xchunked"})
    assert (reply.status, reply.reason, reply.json["code"]) == (501, "INVALID_HTTP", 3)


def test_a_json_caller_has_no_deadline_of_grpc(gateway):
    for timeout in ("1n", "banana"):
        assert gateway.send("GET", "/health", None, {"grpc-timeout": timeout}).status == 200
