"""The adapter to retrieval against a server that speaks the real wire format."""

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio

from docuchat.retrieval.v1 import index_service_pb2 as pb
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceServicer, add_IndexServiceServicer_to_server
from ingestion.clients.passage_index import BATCH_CHUNKS, WINDOW_CHUNKS, GrpcPassageIndex, SendWindow
from ingestion.model import ChunkedText, Condition, DocumentState, DocumentVersion, Standing
from ingestion.pipeline.retry import is_outage
from ingestion.text import Chunk, ContentType, ParsedDocument
from servicekit.errors import AppError, Code

IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(5)]
VERSION = DocumentVersion(*IDS[:4], IDS[4], "book.pdf", ContentType.PDF)


def chunked(count, **changes):
    values = {"heading_path": ("A", "B"), "page_break_offsets": (3,), **changes}
    chunks = tuple(Chunk(number, f"chunk {number}", number, number + 9, 1, 2, 2, **values) for number in range(count))
    return ChunkedText(ParsedDocument("", (), (), "", 1), chunks, "The book", "en", 9)


class FakeRetrieval(IndexServiceServicer):
    """Confirms every batch; `gate` holds confirmations back, `error` ends the calls."""

    def __init__(self):
        self.header = None
        self.chunks = []
        self.calls = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error = None
        self.left = asyncio.Event()

    async def IndexChunks(self, request_iterator, context):
        try:
            async for request in request_iterator:
                if request.HasField("header"):
                    self.header = request.header
                    continue
                self.chunks += request.batch.chunks
                if self.error is not None:
                    raise self.error
                await self.gate.wait()
                yield pb.IndexChunksResponse(indexed_count=len(self.chunks))
        finally:
            self.left.set()

    async def ActivateVersion(self, request, context):
        self.calls.append(request)
        if self.error is not None:
            raise self.error
        return pb.ActivateVersionResponse()

    async def HideDocument(self, request, context):
        self.calls.append(request)
        await self.gate.wait()
        return pb.HideDocumentResponse()

    async def CheckVersions(self, request, context):
        self.calls.append(request)
        return pb.CheckVersionsResponse(conditions=[1, 2, 3, 4, 0, 99])

    async def DeleteDocument(self, request, context):
        self.calls.append(request)
        await self.gate.wait()
        return pb.DeleteDocumentResponse()


@pytest_asyncio.fixture
async def retrieval(rpc, tokens):
    fake = FakeRetrieval()
    token = tokens.issue_service("ingestion")

    def add(server):
        add_IndexServiceServicer_to_server(fake, server)

    async with rpc(name="retrieval", add_servicers=add, token=token) as channel:
        fake.index = GrpcPassageIndex(channel, call_seconds=0.5, stall_seconds=0.5)
        yield fake


async def test_all_chunks_arrive_once_behind_their_header(retrieval):
    counts = [count async for count in retrieval.index.index(VERSION, chunked(100))]
    assert counts == [32, 64, 96, 100]
    assert [chunk.chunk_index for chunk in retrieval.chunks] == list(range(100))
    header = retrieval.header
    assert [header.tenant_id, header.document_id, header.version_id, header.collection_id] == IDS[:4]
    assert (header.private_to_user_id, header.filename, header.title, header.language) == (
        IDS[4],
        "book.pdf",
        "The book",
        "en",
    )
    chunk = retrieval.chunks[7]
    assert (chunk.text, chunk.start_offset, chunk.end_offset, chunk.page_start, chunk.page_end) == (
        "chunk 7",
        7,
        16,
        1,
        2,
    )
    assert (list(chunk.heading_path), list(chunk.page_break_offsets)) == (["A", "B"], [3])


async def test_what_an_earlier_try_has_sent_is_not_sent_again(retrieval):
    rest = replace(chunked(100), indexed_count=40)
    counts = [count async for count in retrieval.index.index(VERSION, rest)]
    assert counts == [72, 100]
    assert [chunk.chunk_index for chunk in retrieval.chunks] == list(range(40, 100))


async def test_hiding_names_the_document_and_ends_at_its_deadline(retrieval):
    await retrieval.index.hide(IDS[0], IDS[1])
    assert [retrieval.calls[0].tenant_id, retrieval.calls[0].document_id] == IDS[:2]
    retrieval.gate.clear()
    with pytest.raises(AppError) as caught:
        await retrieval.index.hide(IDS[0], IDS[1])
    assert is_outage(caught.value)


async def test_conditions_come_back_in_order_and_unknown_ones_as_none(retrieval):
    standing = Standing(*IDS[:3], DocumentState.READY, 7, is_active=True, has_job=False)
    found = await retrieval.index.check([standing] * 6)
    assert found == [Condition.INTACT, Condition.DAMAGED, Condition.OUTDATED, Condition.HIDDEN, None, None]
    [request] = retrieval.calls
    expected = request.versions[5]
    assert [expected.tenant_id, expected.document_id, expected.version_id, expected.chunk_count] == [*IDS[:3], 7]


async def test_descriptions_beyond_the_bounds_of_the_proto_are_cut_and_accepted(retrieval):
    long = chunked(1, heading_path=("h" * 900,) * 20, page_break_offsets=tuple(range(2000)))
    assert [count async for count in retrieval.index.index(VERSION, long)] == [1]
    assert len(retrieval.chunks[0].heading_path) == 16


async def test_no_more_is_sent_than_the_window_lets_out(retrieval):
    retrieval.gate.clear()
    with pytest.raises(AppError) as caught:
        async for _ in retrieval.index.index(VERSION, chunked(3000)):
            pass
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert len(retrieval.chunks) <= WINDOW_CHUNKS + BATCH_CHUNKS


async def test_the_window_opens_with_confirmations_and_lets_go_when_closed():
    window = SendWindow(64)
    assert await window.reserve(32)
    assert await window.reserve(32)
    third = asyncio.ensure_future(window.reserve(32))
    await asyncio.sleep(0)
    assert not third.done()
    window.confirm(32)
    assert await third
    fourth = asyncio.ensure_future(window.reserve(32))
    await asyncio.sleep(0)
    window.close()
    assert not await fourth


async def test_an_error_of_retrieval_keeps_its_code_and_reason(retrieval):
    retrieval.error = AppError(Code.FAILED_PRECONDITION, "DOCUMENT_DELETED", "gone")
    with pytest.raises(AppError) as caught:
        async for _ in retrieval.index.index(VERSION, chunked(20)):
            pass
    assert (caught.value.code, caught.value.reason) == (Code.FAILED_PRECONDITION, "DOCUMENT_DELETED")
    retrieval.error = AppError(Code.FAILED_PRECONDITION, "VERSION_INCOMPLETE", "some are missing")
    with pytest.raises(AppError) as caught:
        await retrieval.index.activate(VERSION, 3)
    assert caught.value.reason == "VERSION_INCOMPLETE"


async def test_activation_and_deletion_name_what_they_are_about(retrieval):
    await retrieval.index.activate(VERSION, 3)
    await retrieval.index.delete(IDS[0], IDS[1])
    activated, deleted = retrieval.calls
    assert [activated.tenant_id, activated.document_id, activated.version_id, activated.chunk_count] == [*IDS[:3], 3]
    assert [deleted.tenant_id, deleted.document_id] == IDS[:2]


async def test_a_call_that_hangs_ends_at_its_deadline(retrieval):
    retrieval.gate.clear()
    with pytest.raises(AppError) as caught:
        await retrieval.index.delete(IDS[0], IDS[1])
    assert is_outage(caught.value)


async def test_leaving_the_stream_half_way_cancels_it(retrieval):
    counts = retrieval.index.index(VERSION, chunked(3000))
    assert await anext(counts) == BATCH_CHUNKS
    retrieval.gate.clear()
    await counts.aclose()
    # The gate is still closed: only the end of the call lets the server leave.
    await asyncio.wait_for(retrieval.left.wait(), 5)
    assert len(retrieval.chunks) < 3000
