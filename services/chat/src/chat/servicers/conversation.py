"""The RPC edge of a user's own conversations."""

from typing import Any

import grpc

from chat.convert import read_conversation_key, read_message_key, to_conversation, to_message, to_owner
from chat.ports import Conversations
from docuchat.chat.v1 import conversation_service_pb2 as pb
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceServicer
from servicekit.identity import current_principal
from servicekit.rpc.paging import decode_page_token, encode_page_token, page_size

Context = grpc.aio.ServicerContext[Any, Any]
CONVERSATIONS = "conversations"


class ConversationServicer(ConversationServiceServicer):
    """Serves ConversationService."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def GetConversation(
        self,
        request: pb.GetConversationRequest,
        context: Context,
    ) -> pb.GetConversationResponse:
        """Returns one conversation."""
        found = await self._conversations.get(to_owner(current_principal()), request.conversation_id)
        return pb.GetConversationResponse(conversation=to_conversation(found))

    async def ListConversations(
        self,
        request: pb.ListConversationsRequest,
        context: Context,
    ) -> pb.ListConversationsResponse:
        """Returns a page, the last used first. One row more than the page tells whether there is another."""
        size = page_size(request.page_size)
        after = read_conversation_key(decode_page_token(CONVERSATIONS, request.page_token))
        rows = await self._conversations.list_page(to_owner(current_principal()), limit=size + 1, after=after)
        response = pb.ListConversationsResponse(conversations=map(to_conversation, rows[:size]))
        if len(rows) > size:
            last = rows[size - 1]
            key = (last.update_time.isoformat(), last.conversation_id)
            response.next_page_token = encode_page_token(CONVERSATIONS, key)
        return response

    async def DeleteConversation(
        self,
        request: pb.DeleteConversationRequest,
        context: Context,
    ) -> pb.DeleteConversationResponse:
        """Removes a conversation and its messages."""
        await self._conversations.delete(to_owner(current_principal()), request.conversation_id)
        return pb.DeleteConversationResponse()

    async def ListMessages(
        self,
        request: pb.ListMessagesRequest,
        context: Context,
    ) -> pb.ListMessagesResponse:
        """Returns a page of messages, oldest first."""
        size, kind = page_size(request.page_size), f"messages/{request.conversation_id}"
        after = read_message_key(decode_page_token(kind, request.page_token))
        owner = to_owner(current_principal())
        rows = await self._conversations.list_messages(owner, request.conversation_id, limit=size + 1, after=after)
        response = pb.ListMessagesResponse(messages=map(to_message, rows[:size]))
        if len(rows) > size:
            response.next_page_token = encode_page_token(kind, (str(rows[size - 1].position),))
        return response
