import time

import grpc
import pytest

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from docuchat.retrieval.v1.engine_service_pb2_grpc import EngineServiceStub
from tests.accounts import sign_token
from tests.documents import code_of, make_report

SECTIONS = 90
SEED = 7
BEGIN_SECONDS = 60
READY_SECONDS = 180
SAMPLE = range(0, SECTIONS, 9)


@pytest.fixture(scope="module")
def survivor(stack, owner):
    """A long document whose worker, retrieval and engine were all killed while it was being indexed."""
    document_id = owner.upload(make_report(SECTIONS, SEED).encode(), "report.md")
    wait_for_progress(owner, document_id)
    killed = {name: stack.kill(name) for name in ("worker", "engine", "retrieval")}
    document = owner.wait_through_outage(document_id, READY_SECONDS)
    assert document["state"] == "READY", document
    stack.wait_recovered(60)
    running = stack.processes()
    assert all(running[name]["pid"] != pid for name, pid in killed.items())
    return document


def wait_for_progress(account, document_id):
    """Waits until some chunks are indexed and some are not."""
    end = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < end:
        document = account.http.get(f"/v1/documents/{document_id}").json["document"]
        if document["state"] == "INDEXING" and document["indexed_chunk_count"]:
            assert document["indexed_chunk_count"] < document["chunk_count"]
            return
        assert document["state"] != "READY", "too late: make the document longer"
        time.sleep(0.02)
    pytest.fail(f"not being indexed after {BEGIN_SECONDS} s: {document}")


def test_a_document_survives_the_death_of_worker_retrieval_and_engine(owner, survivor):
    chunks = owner.chunks(survivor["document_id"])
    assert survivor["chunk_count"] >= SECTIONS
    assert [chunk["chunk_index"] for chunk in chunks] == list(range(survivor["chunk_count"]))
    text = owner.text(survivor["document_id"])
    assert all(chunk["text"] == text[chunk["start_offset"] : chunk["end_offset"]] for chunk in chunks)


@pytest.mark.parametrize("number", SAMPLE)
def test_every_part_of_it_can_be_found_once(owner, survivor, number):
    code = code_of(SEED, number)
    hits = owner.http.post("/v1/search", query=code, top_k=50, document_ids=[survivor["document_id"]]).json["hits"]
    assert [code in hit["text"] for hit in hits].count(True) == 1
    places = [hit["chunk_index"] for hit in hits]
    assert len(places) == len(set(places))


def test_the_index_holds_exactly_one_point_for_each_chunk(stack, owner, survivor):
    assert count_points(stack, owner, survivor["version_id"]) == survivor["chunk_count"]
    assert count_points(stack, owner, survivor["document_id"]) == 0


def count_points(stack, owner, version_id):
    """Asks the engine itself, which listens on a socket that only its own user may open."""
    service = sign_token(stack, owner.token, sub="retrieval", role="SERVICE", tid=None)
    metadata = [("authorization", f"Bearer {service}")]
    (folder,) = [path for path in (stack.home / "data").rglob("chunks-*") if path.is_dir()]
    only = engine_pb2.EngineFilter(must=[engine_pb2.EngineCondition(key="version_id", any_of=[version_id])])
    request = engine_pb2.CountPointsRequest(collection=folder.name, filter=only)
    with grpc.insecure_channel(stack.processes()["engine"]["address"]) as channel:
        return EngineServiceStub(channel).CountPoints(request, timeout=10, metadata=metadata).point_count
