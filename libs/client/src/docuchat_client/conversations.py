"""Reading and removing conversations."""

from collections.abc import AsyncIterator

from docuchat.chat.v1 import conversation_service_pb2
from docuchat.chat.v1.conversation_pb2 import Conversation, Message
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceStub
from docuchat_client.connection import CALL_SECONDS, PAGE_SIZE, Connection


class Conversations:
    """The calls about the user's own conversations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._conversations = ConversationServiceStub(connection.channel)

    async def conversations(self) -> AsyncIterator[Conversation]:
        """Yields the conversations, the last used first."""
        request = conversation_service_pb2.ListConversationsRequest(page_size=PAGE_SIZE)
        async for page in self._connection.read_pages(request, self._conversations.ListConversations):
            for conversation in page.conversations:
                yield conversation

    async def messages(self, conversation_id: str) -> AsyncIterator[Message]:
        """Yields the messages of a conversation, oldest first. Raises CONVERSATION_NOT_FOUND."""
        request = conversation_service_pb2.ListMessagesRequest(conversation_id=conversation_id, page_size=PAGE_SIZE)
        async for page in self._connection.read_pages(request, self._conversations.ListMessages):
            for message in page.messages:
                yield message

    async def delete_conversation(self, conversation_id: str) -> None:
        """Removes a conversation and its messages. Raises CONVERSATION_NOT_FOUND."""
        request = conversation_service_pb2.DeleteConversationRequest(conversation_id=conversation_id)
        await self._connection.call(
            lambda metadata: self._conversations.DeleteConversation(request, timeout=CALL_SECONDS, metadata=metadata)
        )
