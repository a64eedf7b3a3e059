import http.client
import json
import time

import pytest

from tests.documents import code_of, make_report
from tests.http_client import parse_event

QUESTION = "Who built the lighthouse of Norwick, and when?"


def kinds(events):
    return [kind for event in events for kind in event if kind != "sequence"]


@pytest.fixture(scope="module")
def answer(owner, lighthouse):
    """The events of one question about the lighthouse."""
    return owner.ask(QUESTION, document_ids=[lighthouse["document_id"]])


def test_search_finds_the_passage_with_its_place(owner, lighthouse):
    hits = owner.http.post("/v1/search", query="How many steps does the tower have?", top_k=3).json["hits"]
    hit = hits[0]
    text = owner.text(lighthouse["document_id"])
    assert hit["document_id"] == lighthouse["document_id"]
    assert hit["filename"] == "lighthouse.pdf"
    assert "212 steps" in hit["text"]
    assert hit["text"] == text[hit["start_offset"] : hit["end_offset"]]
    assert hit["page_start"] <= 2 <= hit["page_end"]
    assert [row["score"] for row in hits] == sorted((row["score"] for row in hits), reverse=True)
    assert all(0 <= row["score"] <= 1 for row in hits)


def test_search_finds_a_word_that_no_embedding_knows(user):
    document = user.upload_ready(make_report(8, seed=3).encode(), "gauges.md")
    hits = user.http.post("/v1/search", query=code_of(3, 5), top_k=3).json["hits"]
    assert [code_of(3, 5) in hit["text"] for hit in hits].count(True) == 1
    assert hits[0]["document_id"] == document["document_id"]


def test_the_events_of_an_answer_are_numbered_without_gaps(answer):
    assert [event["sequence"] for event in answer] == list(range(1, len(answer) + 1))
    assert kinds(answer)[0] == "started"
    assert kinds(answer)[-1] == "completed"
    assert kinds(answer).index("sources") < kinds(answer).index("text_delta")
    assert "usage" in kinds(answer)


def test_an_answer_says_who_wrote_it_and_how_fast(answer):
    completed = answer[-1]["completed"]
    assert (completed["provider"], completed["finish_reason"]) == ("extractive", "STOP")
    assert completed["conversation_id"] == answer[0]["started"]["conversation_id"]
    assert completed["message_id"] == answer[0]["started"]["message_id"]
    assert 0 <= completed["time_to_first_token_ms"] <= completed["latency_ms"]


def test_the_answer_holds_the_fact(answer):
    text = "".join(event["text_delta"]["text"] for event in answer if "text_delta" in event)
    assert "1874" in text
    assert "Lindqvist" in text


def test_every_citation_is_the_text_between_its_offsets_on_the_right_page(owner, lighthouse, answer):
    text = owner.text(lighthouse["document_id"])
    citations = [event["citation"] for event in answer if "citation" in event]
    assert citations
    for citation in citations:
        assert citation["check"] == "EXACT"
        assert citation["document_id"] == lighthouse["document_id"]
        assert citation["quote"] == text[citation["start_offset"] : citation["end_offset"]]
    (built,) = [citation for citation in citations if "1874" in citation["quote"]][:1]
    assert built["page_number"] == 1


def test_every_citation_comes_after_its_place_in_the_answer(answer):
    text, markers = "", set()
    assert "citation" in kinds(answer)
    for event in answer:
        text += event.get("text_delta", {}).get("text", "")
        markers |= {row["marker"] for row in event.get("sources", {}).get("passages", [])}
        if "citation" in event:
            citation = event["citation"]
            assert 0 <= citation["answer_start"] < citation["answer_end"] <= len(text)
            assert citation["marker"] in markers


def test_every_source_is_the_text_between_its_offsets(owner, lighthouse, answer):
    text = owner.text(lighthouse["document_id"])
    passages = next(event["sources"]["passages"] for event in answer if "sources" in event)
    assert passages
    assert [row["marker"] for row in passages] == list(range(1, len(passages) + 1))
    assert all(row["text"] == text[row["start_offset"] : row["end_offset"]] for row in passages)


def test_an_answer_is_kept_as_it_was_sent(owner, answer):
    conversation_id = answer[0]["started"]["conversation_id"]
    question, reply = owner.http.get(f"/v1/conversations/{conversation_id}/messages").json["messages"]
    assert (question["role"], question["text"]) == ("USER", QUESTION)
    assert (reply["role"], reply["state"]) == ("ASSISTANT", "COMPLETE")
    assert reply["message_id"] == answer[0]["started"]["message_id"]
    assert reply["text"] == "".join(event["text_delta"]["text"] for event in answer if "text_delta" in event)
    assert reply["citations"] == [event["citation"] for event in answer if "citation" in event]
    assert reply["usage"] == [event["usage"] for event in answer if "usage" in event][-1]


def test_a_question_may_go_on_with_a_conversation(user):
    user.upload_ready(
        b"# Otters\n\nOtters sleep in groups called rafts. A raft may hold a hundred otters.", "otters.md"
    )
    first = user.ask("What are groups of otters called?")[0]["started"]["conversation_id"]
    second = user.ask("How many may it hold?", conversation_id=first)[0]["started"]["conversation_id"]
    assert first == second
    messages = user.http.get(f"/v1/conversations/{first}/messages").json["messages"]
    assert [message["role"] for message in messages] == ["USER", "ASSISTANT", "USER", "ASSISTANT"]
    listed = user.http.get("/v1/conversations").json["conversations"]
    assert [row["conversation_id"] for row in listed] == [first]
    assert user.http.delete(f"/v1/conversations/{first}").status == 200
    assert user.http.get(f"/v1/conversations/{first}").reason == "CONVERSATION_NOT_FOUND"


def test_a_question_that_nothing_answers_is_told_so(user):
    events = user.ask("What is the capital of Mongolia?")
    assert kinds(events)[-1] == "completed"
    assert events[-1]["completed"]["finish_reason"] == "NO_ANSWER"
    assert "citation" not in kinds(events)
    assert "".join(event["text_delta"]["text"] for event in events if "text_delta" in event)


def test_a_persian_question_is_answered_from_a_persian_text(user):
    text = "# مرخصی\n\nمرخصی زایمان ۳۹ هفته با حقوق کامل است.\n\n# بیماری\n\nگواهی پزشک از روز چهارم لازم است.\n"
    user.upload_ready(text.encode(), "آیین‌نامه.md")
    events = user.ask("مرخصی زایمان چند هفته است؟")
    assert "۳۹ هفته" in "".join(event["text_delta"]["text"] for event in events if "text_delta" in event)
    assert {event["citation"]["filename"] for event in events if "citation" in event} == {"آیین‌نامه.md"}


def test_an_answer_arrives_piece_by_piece(stack, owner, lighthouse):
    """The first event must be readable while the connection is still open."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    body = json.dumps({"question": QUESTION, "document_ids": [lighthouse["document_id"]]})
    connection.request("POST", "/v1/ask", body, {"authorization": f"Bearer {owner.token}"})
    answer = connection.getresponse()
    first = parse_event(answer.readline().decode())
    assert "started" in first
    assert not answer.isclosed()
    rest = answer.read()
    assert b"completed" in rest
    connection.close()


def test_a_client_that_leaves_does_not_leave_a_message_streaming(stack, owner, lighthouse):
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.request(
        "POST", "/v1/ask", json.dumps({"question": QUESTION}), {"authorization": f"Bearer {owner.token}"}
    )
    answer = connection.getresponse()
    conversation_id = parse_event(answer.readline().decode())["started"]["conversation_id"]
    answer.close()
    connection.close()
    path, end = f"/v1/conversations/{conversation_id}/messages", time.monotonic() + 10
    while time.monotonic() < end:
        states = [message["state"] for message in owner.http.get(path).json["messages"]]
        if len(states) == 2 and states[1] in {"COMPLETE", "CANCELLED"}:
            return
        time.sleep(0.1)
    pytest.fail(f"after 10 s: {states}")
