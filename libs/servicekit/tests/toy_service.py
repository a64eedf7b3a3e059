"""A service of four shapes, and how its tests read what comes back."""

import asyncio

import grpc
import pytest
from google.rpc import status_pb2

from docuchat.chat.v1 import ask_event_pb2, conversation_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import (
    ChatServiceServicer,
    add_ChatServiceServicer_to_server,
)
from docuchat.chat.v1.conversation_service_pb2_grpc import (
    ConversationServiceServicer,
    ConversationServiceStub,
    add_ConversationServiceServicer_to_server,
)
from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import (
    DocumentServiceServicer,
    add_DocumentServiceServicer_to_server,
)
from docuchat.retrieval.v1 import index_service_pb2
from docuchat.retrieval.v1.index_service_pb2_grpc import (
    IndexServiceServicer,
    add_IndexServiceServicer_to_server,
)
from servicekit.identity import current_principal
from servicekit.rpc.deadline import cap_timeout

UUID = "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c11"


class Toy(ChatServiceServicer, ConversationServiceServicer, DocumentServiceServicer, IndexServiceServicer):
    def __init__(self):
        self.closed = asyncio.Event()
        self.fail = None
        self.calls = 0
        self.left = None
        self.pause = 0
        self.begun = asyncio.Event()
        self.whole = []

    async def Ask(self, request, context):
        try:
            yield ask_event_pb2.AskEvent(sequence=1)
            if self.fail:
                raise self.fail
            while request.question == "endless":
                await asyncio.sleep(0.01)
                yield ask_event_pb2.AskEvent(sequence=2)
        finally:
            self.closed.set()

    async def ListConversations(self, request, context):
        self.calls += 1
        self.left = cap_timeout(100)
        await asyncio.sleep(self.pause)
        if self.fail:
            raise self.fail
        return conversation_service_pb2.ListConversationsResponse(next_page_token=current_principal().subject)

    async def UploadDocuments(self, request_iterator, context):
        count = 0
        async for _ in request_iterator:
            count += 1
            self.begun.set()
        self.whole.append(count)
        answer = document_service_pb2.UploadDocumentsResponse()
        answer.documents.add(size_bytes=count)
        return answer

    async def IndexChunks(self, request_iterator, context):
        count = 0
        async for _ in request_iterator:
            count += 1
            yield index_service_pb2.IndexChunksResponse(indexed_count=count)


def adder(toy):
    def add(server):
        add_ChatServiceServicer_to_server(toy, server)
        add_ConversationServiceServicer_to_server(toy, server)
        add_DocumentServiceServicer_to_server(toy, server)
        add_IndexServiceServicer_to_server(toy, server)

    return add


async def fail_to_list(channel, request=None):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ConversationServiceStub(channel).ListConversations(
            request or conversation_service_pb2.ListConversationsRequest()
        )
    return caught.value


def read_status(error):
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    return status_pb2.Status.FromString(raw)
