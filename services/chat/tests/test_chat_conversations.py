import pytest

from docuchat.chat.v1 import conversation_service_pb2
from servicekit.errors import Code
from servicekit.rpc.paging import encode_page_token

DOCUMENT = "33333333-3333-4333-8333-333333333333"


async def ask(service, peers, question="What is a trace tree?"):
    """Returns the conversation of an answered question."""
    return (await peers.collect(service.ask(peers.request(question))))[-1].completed.conversation_id


async def test_conversations_are_listed_read_and_deleted_page_by_page(start, peers):
    service = await start()
    made = [
        (await peers.collect(service.ask(peers.request(f"Question {n}?"))))[-1].completed.conversation_id
        for n in range(3)
    ]
    pb, stub = conversation_service_pb2, service.conversations
    first = await stub.ListConversations(pb.ListConversationsRequest(page_size=2))
    second = await stub.ListConversations(pb.ListConversationsRequest(page_size=2, page_token=first.next_page_token))
    listed = [row.conversation_id for row in (*first.conversations, *second.conversations)]
    assert listed == made[::-1]
    assert second.next_page_token == ""
    assert first.conversations[0].title == "Question 2?"
    found = await stub.GetConversation(pb.GetConversationRequest(conversation_id=made[0]))
    assert found.conversation == second.conversations[0]
    page = await stub.ListMessages(pb.ListMessagesRequest(conversation_id=made[0], page_size=1))
    more = pb.ListMessagesRequest(conversation_id=made[0], page_size=1, page_token=page.next_page_token)
    rest = await stub.ListMessages(more)
    assert [message.role for message in (*page.messages, *rest.messages)] == [1, 2]
    assert rest.next_page_token == ""
    await stub.DeleteConversation(pb.DeleteConversationRequest(conversation_id=made[0]))
    gone = stub.GetConversation(pb.GetConversationRequest(conversation_id=made[0]))
    error = await peers.error_of(gone)
    assert error.reason == "CONVERSATION_NOT_FOUND"


async def test_a_stranger_finds_the_same_as_nothing(start, peers):
    service = await start()
    mine = await ask(service, peers)
    pb = conversation_service_pb2
    for conversation_id in (mine, DOCUMENT):
        errors = [
            await peers.error_of(
                service.stranger.GetConversation(pb.GetConversationRequest(conversation_id=conversation_id))
            ),
            await peers.error_of(
                service.stranger.ListMessages(pb.ListMessagesRequest(conversation_id=conversation_id))
            ),
            await peers.error_of(
                service.stranger.DeleteConversation(pb.DeleteConversationRequest(conversation_id=conversation_id))
            ),
            await peers.error_of(peers.collect(service.stranger_ask(peers.request(conversation_id=conversation_id)))),
        ]
        assert {(error.code, error.reason, error.message) for error in errors} == {
            (Code.NOT_FOUND, "CONVERSATION_NOT_FOUND", "There is no such conversation.")
        }
    assert not (await service.stranger.ListConversations(pb.ListConversationsRequest())).conversations


FORGED = [
    ("conversations", ("yesterday", DOCUMENT)),
    ("conversations", ("2026-01-01T00:00:00", DOCUMENT)),
    ("conversations", ("2026-01-01T00:00:00+00:00", "x' OR 1=1")),
    ("conversations", ("1",)),
    ("messages", ("1",)),
]


@pytest.mark.parametrize(("kind", "key"), FORGED)
async def test_a_forged_page_token_is_refused(start, peers, kind, key):
    service = await start()
    listed = conversation_service_pb2.ListConversationsRequest(page_token=encode_page_token(kind, key))
    assert (await peers.error_of(service.conversations.ListConversations(listed))).reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("key", [("x",), ("-1",), ("9" * 30,), ("1", "2")])
async def test_a_forged_message_token_is_refused(start, peers, key):
    service = await start()
    mine = await ask(service, peers)
    token = encode_page_token(f"messages/{mine}", key)
    listed = conversation_service_pb2.ListMessagesRequest(conversation_id=mine, page_token=token)
    assert (await peers.error_of(service.conversations.ListMessages(listed))).reason == "INVALID_PAGE_TOKEN"
