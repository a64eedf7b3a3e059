"""How many calls one caller may have under way."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from docuchat.chat.v1 import chat_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from docuchat.chat.v1.conversation_service_pb2 import ListConversationsRequest
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceStub
from docuchat.retrieval.v1 import index_service_pb2
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceStub
from servicekit.errors import Code
from servicekit.identity import Principal, Role
from servicekit.rpc.client import open_channel
from servicekit.rpc.limit import Shares
from servicekit.rpc.server import build_server
from servicekit.rpc.status import read_error

from .toy_service import UUID, Toy, adder

TENANT, OTHER_TENANT = UUID, "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c12"


@pytest.fixture
async def address(tokens):
    server = build_server(name="chat", verifier=tokens.verifier, per_user=2, per_tenant=3)
    adder(Toy())(server.grpc)
    yield await server.start("127.0.0.1:0")
    await server.stop(0)


@asynccontextmanager
async def calling(address, token):
    async def identity():
        return token

    async with open_channel(address, identity=identity) as channel:
        yield channel


async def stream(channel):
    call = ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="endless"))
    await call.read()
    return call


async def list_conversations(channel):
    return await ConversationServiceStub(channel).ListConversations(ListConversationsRequest())


async def refusal(channel):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await list_conversations(channel)
    return read_error(caught.value)


async def test_one_user_takes_no_more_than_a_share_and_others_go_on(tokens, address):
    async with (
        calling(address, tokens.issue(user_id="ann", tenant_id=TENANT)) as ann,
        calling(address, tokens.issue(user_id="bob", tenant_id=TENANT)) as bob,
    ):
        running = [await stream(ann) for _ in range(2)]
        error = await refusal(ann)
        await list_conversations(bob)
        running[0].cancel()
        async with asyncio.timeout(5):
            while True:
                try:
                    await list_conversations(ann)
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_CONCURRENT_CALLS")
    assert error.metadata["whose"] == "user"
    assert error.retry_after_seconds == 1


async def test_one_tenant_takes_no_more_than_a_share_and_other_tenants_go_on(tokens, address):
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(calling(address, tokens.issue(user_id=name, tenant_id=TENANT)))
            for name in ("ann", "bob", "eve")
        ]
        other = await stack.enter_async_context(calling(address, tokens.issue(user_id="ann", tenant_id=OTHER_TENANT)))
        for member in (members[0], members[0], members[1]):
            await stream(member)
        error = await refusal(members[2])
        await list_conversations(other)
    assert (error.reason, error.metadata["whose"]) == ("TOO_MANY_CONCURRENT_CALLS", "tenant")


async def test_services_that_call_on_their_own_account_have_no_share(tokens, address):
    header = index_service_pb2.IndexHeader(tenant_id=UUID, document_id=UUID, version_id=UUID, collection_id=UUID)
    done = asyncio.Event()

    async def requests():
        yield index_service_pb2.IndexChunksRequest(header=header)
        await done.wait()

    async with calling(address, tokens.issue_service("ingestion")) as channel:
        calls = [IndexServiceStub(channel).IndexChunks(requests()) for _ in range(6)]
        assert [(await call.read()).indexed_count for call in calls] == [1] * 6
        done.set()


def test_only_callers_with_a_call_under_way_are_remembered():
    shares = Shares(2, 2)
    for number in range(100):
        with shares.of(Principal(f"user {number}", "tenant", Role.MEMBER, "s", None, "")):
            assert shares.count() == 2
    assert shares.count() == 0
