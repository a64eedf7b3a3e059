"""Retrieval and ingestion as chat sees them, and calls to a chat that is served in the test's process."""

import asyncio

import grpc
import pytest

from chat.model import FinishReason, ProviderFinish, ProviderText
from docuchat.chat.v1 import chat_service_pb2, conversation_service_pb2
from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import (
    DocumentServiceServicer,
    add_DocumentServiceServicer_to_server,
)
from docuchat.retrieval.v1 import hit_pb2, search_service_pb2
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceServicer, add_SearchServiceServicer_to_server
from servicekit.identity import current_principal
from servicekit.rpc.status import read_error

DOCUMENT, VERSION = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
TEXT = "Front matter. A trace tree is a set of traces that share one anchor. The end of it all."
START, END = 14, len(TEXT)
SENTENCE_END = TEXT.index(" The end")


class Peers(SearchServiceServicer, DocumentServiceServicer):
    """Retrieval and ingestion, as far as chat calls them; they note who called."""

    def __init__(self):
        self.callers, self.version, self.failure, self.text_failure = [], VERSION, None, None
        self.has_hits, self.title = True, "A title"
        self.documents, self.list_failure = [], None

    async def Search(self, request, context):
        self.callers.append(current_principal().token)
        if self.failure:
            raise self.failure
        hit = hit_pb2.Hit(
            text=TEXT[START:END], score=1, document_id=DOCUMENT, version_id=VERSION, filename="a.pdf", title=self.title
        )
        hit.page_start, hit.page_end, hit.start_offset, hit.end_offset = 1, 2, START, END
        hit.page_break_offsets.append(TEXT.index("The end"))
        hit.highlights.add(start_offset=START, end_offset=SENTENCE_END, score=1)
        hit.relevance = 1
        return search_service_pb2.SearchResponse(hits=[hit] if self.has_hits else [])

    async def BatchGetDocumentTexts(self, request, context):
        self.callers.append(current_principal().token)
        if self.text_failure:
            raise self.text_failure
        answer = document_service_pb2.BatchGetDocumentTextsResponse()
        for each in request.ranges:
            is_missing = each.version_id != self.version
            answer.texts.add(
                text="" if is_missing else TEXT[each.start_offset : each.end_offset], is_missing=is_missing
            )
        return answer

    async def ListDocuments(self, request, context):
        self.callers.append(current_principal().token)
        if self.list_failure:
            raise self.list_failure
        found = [document for document in self.documents if document.state == request.state]
        return document_service_pb2.ListDocumentsResponse(documents=found[: request.page_size])


class ScriptedProvider:
    """Plays parts; a number is a pause in seconds, an exception is raised."""

    name, model = "scripted", "scripted-1"

    def __init__(self, *script):
        self.script = script

    async def write(self, prompt, sink):
        for part in self.script:
            if isinstance(part, (int, float)):
                await asyncio.sleep(part)
            elif isinstance(part, BaseException):
                raise part
            elif isinstance(part, ProviderFinish):
                return part
            else:
                await sink.put(ProviderText(part) if isinstance(part, str) else part)
        return ProviderFinish(FinishReason.STOP)


class SlowProvider:
    name, model = "slow", "slow-1"

    def __init__(self):
        self.closed = asyncio.Event()

    async def write(self, prompt, sink):
        try:
            for number in range(2000):
                await sink.put(ProviderText(f"word{number} "))
                await asyncio.sleep(0.01)
            return ProviderFinish(FinishReason.STOP)
        finally:
            self.closed.set()


def add_peers(peers):
    def add(server):
        add_SearchServiceServicer_to_server(peers, server)
        add_DocumentServiceServicer_to_server(peers, server)

    return add


def request(question="What is a trace tree?", **more):
    return chat_service_pb2.AskRequest(question=question, **more)


async def collect(call):
    return [event async for event in call]


async def error_of(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await awaitable
    return read_error(raised.value)


async def messages_of(service, conversation_id):
    listed = conversation_service_pb2.ListMessagesRequest(conversation_id=conversation_id)
    return (await service.conversations.ListMessages(listed)).messages
