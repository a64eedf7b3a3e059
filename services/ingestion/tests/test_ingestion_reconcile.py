"""Comparing documents with the index on a real database, and mending what differs."""

import pytest

from docuchat.ingestion.v1 import document_pb2
from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.errors import Refused
from ingestion.model import Condition
from ingestion.pipeline.reconcile import LEASE_SECONDS, Reconciler
from ingestion.stores.standings import PostgresStandingStore
from servicekit.errors import AppError, Code

State = document_pb2.Document
TEXT = ("The quick brown fox jumps over the lazy dog. " * 20).encode()


def reconciler(stack):
    return Reconciler(PostgresStandingStore(stack.database), stack.index)


async def ready(stack, person, count=1):
    """Uploads documents and processes them; returns them as they are then."""
    uploaded = [(await person.upload(TEXT))[0].document_id for _ in range(count)]
    await stack.run_all()
    return [await person.get(document_id) for document_id in uploaded]


@pytest.mark.parametrize("condition", [Condition.DAMAGED, Condition.OUTDATED])
async def test_a_document_whose_index_is_not_whole_is_indexed_again_from_its_text_and_read_meanwhile(
    stack, logs, condition
):
    ann = await stack.person()
    whole, damaged = await ready(stack, ann, 2)
    stack.index.points.pop(damaged.version_id)
    stack.index.active.pop(damaged.document_id)
    stack.index.sent.clear()
    stack.index.conditions[damaged.document_id] = condition
    await reconciler(stack).run_round()
    shown = await ann.get(damaged.document_id)
    assert (shown.state, shown.indexed_chunk_count, shown.chunk_count) == (State.INDEXING, 0, damaged.chunk_count)
    request = pb.GetDocumentTextRequest(document_id=damaged.document_id)
    assert (await ann.documents.GetDocumentText(request)).text == TEXT.decode()
    assert [event["mended"] for event in logs if event["event"] == "reconciled"] == [{condition: 1}]
    await reconciler(stack).run_round()
    assert await stack.count("jobs") == 1
    await stack.run_all()
    assert (await ann.get(damaged.document_id)).state == State.READY
    assert len(stack.index.points[damaged.version_id]) == damaged.chunk_count == len(stack.index.sent)
    assert stack.index.active[damaged.document_id] == damaged.version_id
    assert stack.parser.calls == 2
    assert (await ann.get(whole.document_id)).update_time == whole.update_time


async def test_a_document_that_only_the_index_has_deleted_is_deleted(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = Condition.HIDDEN
    await reconciler(stack).run_round()
    assert list((await ann.list()).documents) == []
    await stack.run_all()
    assert (await stack.keys(), await stack.count("documents")) == ([], 0)


async def test_a_refusal_while_indexing_again_is_shown_and_made_good_once_the_refusal_ends(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = Condition.OUTDATED
    stack.index.failures = [None, Refused("EMBEDDING_REFUSED", "the key is wrong")]
    await reconciler(stack).run_round()
    await stack.run_all()
    shown = await ann.get(document.document_id)
    assert (shown.state, shown.state_reason) == (State.FAILED, "EMBEDDING_REFUSED")
    await reconciler(stack).run_round()
    await stack.run_all()
    shown = await ann.get(document.document_id)
    assert (shown.state, shown.state_reason) == (State.READY, "")


async def test_a_failed_document_whose_old_index_serves_again_is_ready(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    await stack.admin.execute("UPDATE ingestion.documents SET state = 'FAILED', state_reason = 'EMBEDDING_REFUSED'")
    await reconciler(stack).run_round()
    shown = await ann.get(document.document_id)
    assert (shown.state, shown.state_reason, await stack.count("jobs")) == (State.READY, "", 0)


@pytest.mark.parametrize(
    ("state", "left"), [("UPLOADED", 1), ("PARSING", 1), ("CHUNKING", 1), ("INDEXING", 1), ("DELETING", 0)]
)
async def test_a_document_whose_job_was_lost_reaches_its_end(stack, state, left):
    ann = await stack.person()
    [document] = await ann.upload(TEXT)
    await stack.admin.execute("UPDATE ingestion.documents SET state = $1", state)
    await stack.admin.execute("DELETE FROM ingestion.jobs")
    await reconciler(stack).run_round()
    await stack.run_all()
    assert await stack.count("documents") == left
    if left:
        assert (await ann.get(document.document_id)).state == State.READY


async def test_documents_that_failed_for_good_or_have_no_text_are_left_alone(stack):
    ann = await stack.person()
    [blank] = await ann.upload(b" \n ")
    [failed] = await ann.upload(TEXT)
    await stack.run_all()
    await stack.admin.execute(
        "UPDATE ingestion.documents SET state = 'FAILED', active_version_id = NULL WHERE document_id = $1",
        failed.document_id,
    )
    stack.index.conditions = {failed.document_id: Condition.DAMAGED, blank.document_id: Condition.DAMAGED}
    await reconciler(stack).run_round()
    assert await stack.count("jobs") == 0


async def test_a_round_goes_on_where_the_last_one_stopped_and_comes_round(stack, monkeypatch):
    monkeypatch.setattr("ingestion.pipeline.reconcile.PAGE_DOCUMENTS", 2)
    monkeypatch.setattr("ingestion.pipeline.reconcile.ROUND_PAGES", 1)
    people = [await stack.person() for _ in range(3)]
    documents = [document.document_id for person in people for document in await ready(stack, person, 3)]
    asked = []
    check = stack.index.check

    async def watched(standings):
        asked.append([standing.document_id for standing in standings])
        return await check(standings)

    stack.index.check = watched
    for _ in range(6):
        await reconciler(stack).run_round()
    assert sorted(document_id for page in asked for document_id in page) == sorted(documents)
    assert max(map(len, asked)) == 2
    await reconciler(stack).run_round()  # finds the end
    await reconciler(stack).run_round()
    assert asked[6] == asked[0]


async def test_one_process_walks_at_a_time_and_who_dies_on_the_way_is_followed(stack):
    first, second = (PostgresStandingStore(stack.database) for _ in range(2))
    place = await first.begin_round(LEASE_SECONDS)
    assert await second.begin_round(LEASE_SECONDS) is None
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = Condition.DAMAGED
    await reconciler(stack).run_round()
    assert await stack.count("jobs") == 0
    await stack.admin.execute("UPDATE ingestion.reconciler SET lease_until = now()")
    assert await second.begin_round(LEASE_SECONDS) == place


async def test_an_outage_ends_the_round_and_keeps_its_place(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = Condition.DAMAGED
    stack.index.failures = [AppError(Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "away")]
    with pytest.raises(AppError):
        await reconciler(stack).run_round()
    await reconciler(stack).run_round()
    assert await stack.count("jobs") == 1


async def test_a_page_that_cannot_be_judged_keeps_nobody_from_the_pages_behind(stack, monkeypatch, logs):
    monkeypatch.setattr("ingestion.pipeline.reconcile.PAGE_DOCUMENTS", 1)
    ann = await stack.person()
    documents = sorted(document.document_id for document in await ready(stack, ann, 2))
    stack.index.conditions[documents[1]] = Condition.DAMAGED
    stack.index.failures = [AppError(Code.INVALID_ARGUMENT, "INVALID_FIELD", "no")]
    await reconciler(stack).run_round()
    jobs = await stack.admin.fetch("SELECT document_id::text AS id FROM ingestion.jobs")
    assert [job["id"] for job in jobs] == [documents[1]]
    assert "documents could not be compared" in [event["event"] for event in logs]


async def test_a_document_that_has_changed_since_it_was_read_is_left_alone(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = Condition.DAMAGED
    check = stack.index.check

    async def deleted_meanwhile(standings):
        await ann.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=document.document_id))
        return await check(standings)

    stack.index.check = deleted_meanwhile
    await reconciler(stack).run_round()
    assert [row["kind"] for row in await stack.admin.fetch("SELECT kind FROM ingestion.jobs")] == ["DELETE"]


async def test_an_index_that_says_what_nobody_knows_changes_nothing(stack):
    ann = await stack.person()
    [document] = await ready(stack, ann)
    stack.index.conditions[document.document_id] = None
    await reconciler(stack).run_round()
    assert await stack.count("jobs") == 0
    assert (await ann.get(document.document_id)).state == State.READY
