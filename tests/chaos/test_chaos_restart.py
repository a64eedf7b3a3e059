import os
import signal

import pytest

from tests.documents import make_report
from tests.http_client import HttpClient

QUESTION = "Who built the lighthouse of Norwick, and when?"


def test_ctrl_c_and_a_second_start_keep_everything(stack, owner, lighthouse):
    asked = owner.ask(QUESTION)
    conversation_id = asked[0]["started"]["conversation_id"]
    document = f"/v1/documents/{lighthouse['document_id']}"
    paths = [document, f"{document}/text", f"{document}/chunks", f"/v1/conversations/{conversation_id}/messages"]
    before = [owner.http.get(path).json for path in paths]
    hits = owner.http.post("/v1/search", query=QUESTION).json

    running = stack.processes()
    assert stack.stop() == 0
    assert stack.survivors(running) == []
    stack.start()

    assert [owner.http.get(path).json for path in paths] == before
    assert owner.http.post("/v1/search", query=QUESTION).json == hits
    again = owner.ask(QUESTION, conversation_id=conversation_id)
    assert again[-1]["completed"]["conversation_id"] == conversation_id
    login = stack.http.post("/v1/auth/refresh", refresh_token=owner.refresh_token)
    assert HttpClient(stack.port, login.json["tokens"]["access_token"]).get("/v1/me").status == 200


def test_retrieval_is_started_again_and_meanwhile_every_answer_is_honest(stack, owner, lighthouse):
    """Log-in and documents go on; asking and health say what is missing until it is back."""
    killed = stack.kill("retrieval")
    health = stack.wait_unhealthy(10)
    events = owner.ask(QUESTION)
    assert owner.http.get(f"/v1/documents/{lighthouse['document_id']}").status == 200
    assert "error" in events[-1] or events[-1]["completed"]["finish_reason"] == "STOP"
    assert events[-1].get("error", {}).get("reason", "RETRIEVAL_UNAVAILABLE") == "RETRIEVAL_UNAVAILABLE"
    assert (health.status, health.reason) == (503, "DEPENDENCY_UNAVAILABLE")
    stack.wait_recovered(60)
    assert stack.processes()["retrieval"]["pid"] != killed
    assert owner.ask(QUESTION)[-1]["completed"]["finish_reason"] == "STOP"


@pytest.mark.parametrize("name", ["auth", "chat", "ingestion", "engine", "postgres", "gateway"])
def test_a_process_that_dies_is_back_in_seconds_with_everything_it_had(stack, owner, lighthouse, name):
    killed = stack.kill(name)
    stack.wait_for_another(name, killed, 30)
    stack.wait_recovered(60)
    assert owner.http.get("/v1/me").json["user"]["user_id"] == owner.user_id
    assert owner.text(lighthouse["document_id"])
    assert owner.ask(QUESTION)[-1]["completed"]["finish_reason"] == "STOP"


def test_a_killed_launcher_leaves_nothing_that_the_next_one_cannot_take_over(stack, owner):
    document_id = owner.upload(make_report(20, seed=13).encode(), "report.md")
    running = stack.processes()
    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait(10)
    stack.start()
    assert stack.survivors(running) == []
    document = owner.wait(document_id)
    assert (document["state"], len(owner.chunks(document_id))) == ("READY", document["chunk_count"])


def test_a_job_outlives_several_workers(stack, owner):
    document_id = owner.upload(make_report(60, seed=17).encode(), "report.md")
    for _ in range(3):
        stack.wait_for_another("worker", stack.kill("worker"), 30, state="ready")
    document = owner.wait(document_id, 120)
    assert (document["state"], len(owner.chunks(document_id))) == ("READY", document["chunk_count"])


def test_no_message_is_left_streaming(owner, lighthouse):
    owner.ask("Who built the lighthouse?")
    conversations = owner.http.get("/v1/conversations", page_size=100).json["conversations"]
    assert conversations
    for conversation in conversations:
        path = f"/v1/conversations/{conversation['conversation_id']}/messages"
        states = {message["state"] for message in owner.http.get(path, page_size=100).json["messages"]}
        assert states <= {"COMPLETE", "FAILED", "CANCELLED"}
