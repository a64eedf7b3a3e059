"""The console's files, and that they cost the API nothing."""

import pytest

from gateway.config import read_config

TARGETS = {f"DOCUCHAT_{name}_TARGET": "127.0.0.1:1" for name in ("AUTH", "INGESTION", "RETRIEVAL", "CHAT")}


@pytest.fixture(scope="module")
def console_gateway(run_gateway, tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    (folder / "index.html").write_text("<!doctype html><title>here</title>")
    (folder / "app.js").write_text("x".ljust(100_000))
    (folder / "notes.txt").write_text("not for serving")
    with run_gateway(console=folder) as gateway:
        yield gateway


def test_the_page_comes_with_headers_that_keep_foreign_scripts_out(console_gateway):
    reply = console_gateway.send("GET", "/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>here" in reply.body
    assert "script-src 'self';" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_file_of_the_page_comes_whole(console_gateway):
    reply = console_gateway.send("GET", "/console/app.js?v=1")
    assert (reply.headers["content-type"], len(reply.body)) == ("text/javascript; charset=utf-8", 100_000)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/console/notes.txt"), ("GET", "/console/../envoy.yaml"), ("POST", "/"), ("GET", "/console/")],
)
def test_nothing_else_is_a_page(console_gateway, method, path):
    assert console_gateway.send(method, path).reason == "UNKNOWN_PATH"


def test_the_api_answers_beside_the_page_and_without_one(console_gateway, gateway):
    assert console_gateway.send("GET", "/health").status == 200
    assert gateway.send("GET", "/").reason == "UNKNOWN_PATH"


def test_the_page_can_be_switched_off():
    assert read_config(TARGETS | {"DOCUCHAT_CONSOLE": "false"}).console is None
    assert (read_config(TARGETS).console / "index.html").exists()
