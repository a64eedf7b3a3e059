"""What callers may say about themselves, and who may call from a browser."""

import http.client
import time

ORIGIN = "http://localhost:3000"
SPOOFED = {
    "x-tenant-id": "t",
    "X-User-Id": "u",
    "x-user-id-bin": "dQ==",
    "x-role": "OWNER",
    "x-any-bin": "!!!!",
    "grpc-status-details-bin": "AAAA",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-internal": "true",
    "x-docuchat-anything": "1",
    "x-docuchat-refusal": "UNKNOWN_FIELD",
}


def test_headers_that_speak_for_the_edge_are_stripped(gateway):
    gateway.send("GET", "/health", None, SPOOFED | {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    metadata = gateway.journal.metadata[-1]
    assert metadata["traceparent"].startswith("00-" + "a" * 32)
    assert not {name.lower() for name in SPOOFED} & set(metadata)


def test_a_stripped_header_cannot_choose_the_form_of_an_error(gateway):
    reply = gateway.send(
        "GET", "/v1/nothing", None, {"x-docuchat-refusal": "UNKNOWN_FIELD", "x-envoy-original-path": "/x"}
    )
    assert reply.reason == "UNKNOWN_PATH"


def test_the_request_id_is_made_here_and_comes_back(gateway):
    reply = gateway.send("GET", "/health", None, {"x-request-id": "chosen-by-the-client"})
    assert reply.headers["x-request-id"] == gateway.journal.metadata[-1]["x-request-id"]
    assert reply.headers["x-request-id"] != "chosen-by-the-client"


def test_the_authorization_header_reaches_the_service_whether_or_not_it_is_good(gateway):
    gateway.send("GET", "/health", None, {"authorization": "Bearer nonsense"})
    assert gateway.journal.metadata[-1]["authorization"] == "Bearer nonsense"


def preflight(gateway, origin, path="/v1/ask"):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    return gateway.send("OPTIONS", path, None, headers)


def test_a_listed_origin_may_call_json_and_grpc_web(gateway):
    for path in ("/v1/ask", "/docuchat.chat.v1.ChatService/Ask", "/v1/documents"):
        reply = preflight(gateway, ORIGIN, path)
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert {"authorization", "x-tenant-id", "x-on-behalf-of"} <= set(
            reply.headers["access-control-allow-headers"].split(",")
        )
        assert "access-control-allow-credentials" not in reply.headers


def test_a_listed_origin_may_read_answers_errors_and_their_request_ids(gateway):
    for reply in (
        gateway.send("GET", "/health", None, {"origin": ORIGIN}),
        gateway.post_json("/v1/ask", {"nonsense": 1}, {"origin": ORIGIN}),
    ):
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in reply.headers["access-control-expose-headers"]


def test_another_origin_may_not(gateway):
    for reply in (preflight(gateway, "https://evil.example"), gateway.send("GET", "/health", None, {"origin": "null"})):
        assert "access-control-allow-origin" not in reply.headers


def test_a_body_that_stalls_is_given_up(hasty_gateway):
    connection = http.client.HTTPConnection("127.0.0.1", hasty_gateway.port, timeout=20)
    connection.putrequest("POST", "/v1/documents?filename=a")
    connection.putheader("content-length", "1000")
    connection.putheader("authorization", f"Bearer {hasty_gateway.token}")
    connection.endheaders(b"only this")
    started = time.monotonic()
    answer = connection.getresponse()
    assert answer.status in {408, 504}
    assert time.monotonic() - started < 5
    connection.close()
