"""Erasing a user or a tenant from chat: everything of theirs, and nothing of others."""

from dataclasses import replace
from uuid import uuid4

import grpc
import pytest

from chat.model import Check, Citation, FinishReason, MessageState, Question, TurnOutcome, Usage
from chat.stores import erasure
from chat.stores.conversations import PostgresConversations
from chat.stores.erasure import PostgresEraser
from docuchat.common.v1 import erasure_service_pb2 as pb
from docuchat.common.v1.erasure_service_pb2_grpc import ErasureServiceStub, add_ErasureServiceServicer_to_server
from servicekit.erasure import Erased, Subject
from servicekit.rpc.erasure_service import ErasureServicer

CITATION = Citation(1, "a quote", Check.EXACT, 0, 9, "d", "v", "f.pdf", 3, 10, 17)
OUTCOME = TurnOutcome(
    MessageState.COMPLETE, "An answer [1].", (CITATION,), Usage(3, 4, True), "fake", "fake-1", 1, 1, FinishReason.STOP
)
OF_ONE = {"conversations": 1, "messages": 2, "citations": 1}


@pytest.fixture
def store(database):
    return PostgresConversations(database)


@pytest.fixture
def eraser(database):
    return PostgresEraser(database)


async def converse(store, owner, *, finish=True):
    turn = await store.begin_turn(Question(owner, "What?"), history_limit=6)
    if finish:
        await store.finish_turn(turn, OUTCOME)
    return turn


async def list_all(store, owner):
    return await store.list_page(owner, limit=100, after=None)


async def test_a_user_is_erased_in_every_tenant_and_nobody_else_in_any(store, eraser, owner):
    elsewhere, colleague = replace(owner, tenant_id=str(uuid4())), replace(owner, user_id=str(uuid4()))
    for each in (owner, elsewhere, colleague):
        await converse(store, each)
    erased = await eraser.erase(Subject(user_id=owner.user_id))
    assert erased == Erased({kind: 2 * count for kind, count in OF_ONE.items()})
    assert [len(await list_all(store, each)) for each in (owner, elsewhere, colleague)] == [0, 0, 1]
    assert await eraser.erase(Subject(user_id=owner.user_id)) == Erased()


async def test_a_tenant_is_erased_with_all_its_users_and_no_other_tenant(store, eraser, owner):
    elsewhere, colleague = replace(owner, tenant_id=str(uuid4())), replace(owner, user_id=str(uuid4()))
    for each in (owner, elsewhere, colleague):
        await converse(store, each)
    erased = await eraser.erase(Subject(tenant_id=owner.tenant_id))
    assert erased.counts == {kind: 2 * count for kind, count in OF_ONE.items()}
    assert [len(await list_all(store, each)) for each in (owner, elsewhere, colleague)] == [0, 1, 0]
    assert await eraser.erase(Subject(tenant_id=owner.tenant_id)) == Erased()


async def test_a_call_does_a_bounded_part_and_the_next_goes_on(store, eraser, owner, monkeypatch):
    monkeypatch.setattr(erasure, "BATCH", 2)
    monkeypatch.setattr(erasure, "BATCHES", 1)
    for _ in range(3):
        await converse(store, owner)
    calls = [await eraser.erase(Subject(user_id=owner.user_id)) for _ in range(3)]
    assert [(each.counts.get("conversations", 0), each.is_complete) for each in calls] == [
        (2, False),
        (1, True),
        (0, True),
    ]


async def test_an_answer_that_was_being_written_finds_no_place(store, eraser, owner):
    turn = await converse(store, owner, finish=False)
    await eraser.erase(Subject(user_id=owner.user_id))
    await store.finish_turn(turn, OUTCOME)
    assert await eraser.erase(Subject(user_id=owner.user_id)) == Erased()


@pytest.mark.parametrize(("service", "code"), [("auth", None), ("ingestion", grpc.StatusCode.PERMISSION_DENIED)])
async def test_only_auth_may_have_anything_erased(rpc, tokens, eraser, owner, service, code):
    def add(server):
        add_ErasureServiceServicer_to_server(ErasureServicer(eraser.erase), server)

    async with rpc(name="chat", add_servicers=add, token=tokens.issue_service(service)) as channel:
        call = ErasureServiceStub(channel).EraseUser(pb.EraseUserRequest(user_id=owner.user_id))
        if code is None:
            assert (await call).is_complete
            return
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() is code
