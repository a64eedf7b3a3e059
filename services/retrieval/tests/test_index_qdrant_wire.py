"""What the Qdrant adapter says and hears on the wire, where no server is at hand to run the behaviour suite against."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from retrieval.errors import IndexUnavailable
from retrieval.model import Scope, SparseVector
from retrieval.vectors.generation import Deadlines, Generation
from retrieval.vectors.qdrant import QdrantVectorIndex

GENERATION = Generation("m", 4)
QUERY = (np.ones(4, dtype=np.float32), SparseVector((1,), (1.0,)), 5)


class QdrantServer:
    """Answers as Qdrant's REST API does; knows whether its collection exists, and can fail or hang."""

    def __init__(self):
        self.requests = []
        self.exists = False
        self.status = 200
        self.hang_seconds = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "null")
                server.requests.append((self.command, self.path.partition("?")[0], self.headers.get("api-key"), body))
                time.sleep(server.hang_seconds)
                status, result = server.reply(self.command, self.path.partition("?")[0])
                raw = json.dumps({"result": result, "status": "ok", "time": 0.1}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names http.server looks for

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def reply(self, method, path):
        if self.status != 200:
            return self.status, None
        if path.endswith("/exists"):
            return 200, {"exists": self.exists}
        if method == "PUT" and path == f"/collections/{GENERATION.collection}":
            self.exists = True
            return 200, True
        if not self.exists:
            return 404, None
        if path.endswith("/query/batch"):
            return 200, [{"points": []}, {"points": []}]
        return 200, {"operation_id": 1, "status": "completed", "count": 7}

    def bodies(self, ending):
        return [body for _, path, _, body in self.requests if path.endswith(ending)]


@pytest.fixture
def server():
    made = QdrantServer()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
async def index(server):
    url = f"http://127.0.0.1:{server.http.server_port}"
    with pytest.warns(UserWarning, match="insecure"):
        made = QdrantVectorIndex.connect(url, "key", GENERATION, deadlines=Deadlines(read=0.3))
    yield made
    await made.close()


async def test_the_collection_is_made_for_tenants_and_for_bm25(index, server):
    await index.prepare()
    (config,) = [body for method, path, _, body in server.requests if method == "PUT" and path.endswith("m-4-v2")]
    assert config["vectors"]["dense"] == {"size": 4, "distance": "Cosine"}
    assert config["sparse_vectors"]["sparse"]["modifier"] == "idf"
    tenants = {body["field_name"]: body["field_schema"]["is_tenant"] for body in server.bodies("/index")}
    assert tenants.pop("tenant_id") is True
    assert set(tenants) == {"document_id", "version_id", "collection_id", "private_to_user_id"}
    assert not any(tenants.values())
    assert {key for _, _, key, _ in server.requests} == {"key"}


async def test_both_legs_travel_in_one_request_behind_both_walls(index, server):
    server.exists = True
    await index.match(Scope("t1", "u1", document_ids=("d1",)), *QUERY)
    (batch,) = server.bodies("/query/batch")
    walls = [
        {"key": "tenant_id", "match": {"any": ["t1"]}},
        {"key": "private_to_user_id", "match": {"any": ["", "u1"]}},
        {"key": "document_id", "match": {"any": ["d1"]}},
    ]
    assert [search["using"] for search in batch["searches"]] == ["dense", "sparse"]
    assert [search["filter"]["must"] for search in batch["searches"]] == [walls, walls]
    assert batch["searches"][1]["params"]["idf"]["corpus"]["must"] == walls[:1]


async def test_a_collection_that_was_wiped_is_made_again(index, server):
    await index.prepare()
    server.exists = False
    with pytest.raises(IndexUnavailable):
        await index.count("t1", "v1")
    assert await index.count("t1", "v1") == 7


async def test_a_server_that_fails_or_hangs_is_unavailable_within_the_deadline(index, server):
    await index.prepare()
    server.status = 503
    with pytest.raises(IndexUnavailable):
        await index.match(Scope("t1", "u1"), *QUERY)
    server.status, server.hang_seconds = 200, 2.0
    started = time.monotonic()
    with pytest.raises(IndexUnavailable):
        await index.match(Scope("t1", "u1"), *QUERY)
    assert time.monotonic() - started < 1.5
