"""The RPC edge of a user's own conversations."""

from typing import Any

import grpc

from chat.convert import to_conversation_proto, to_message_proto, to_owner
from chat.ports import Conversations
from docuchat.chat.v1 import conversation_service_pb2 as pb
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceServicer
from servicekit.identity import current_principal
from servicekit.rpc.paging import cut_page, decode_number, decode_row_key, page_size

Context = grpc.aio.ServicerContext[Any, Any]
CONVERSATIONS = "conversations"
LAST_POSITION = 10**18 - 1


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
        return pb.GetConversationResponse(conversation=to_conversation_proto(found))

    async def ListConversations(
        self,
        request: pb.ListConversationsRequest,
        context: Context,
    ) -> pb.ListConversationsResponse:
        """Returns a page, the last used first."""
        size = page_size(request.page_size)
        after = decode_row_key(CONVERSATIONS, request.page_token)
        rows = await self._conversations.list_page(to_owner(current_principal()), limit=size + 1, after=after)
        page, more = cut_page(CONVERSATIONS, rows, size, lambda row: (row.update_time, row.conversation_id))
        return pb.ListConversationsResponse(conversations=map(to_conversation_proto, page), next_page_token=more)

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
        after = decode_number(kind, request.page_token, LAST_POSITION)
        owner = to_owner(current_principal())
        rows = await self._conversations.list_messages(owner, request.conversation_id, limit=size + 1, after=after)
        page, more = cut_page(kind, rows, size, lambda row: (row.position,))
        return pb.ListMessagesResponse(messages=map(to_message_proto, page), next_page_token=more)
