"""Passages from the retrieval service, as the caller."""

from collections.abc import Sequence

import grpc

from chat.errors import RetrievalUnavailable
from chat.model import Highlight, Passage
from chat.turn.clean_text import clean
from docuchat.retrieval.v1 import hit_pb2, search_service_pb2
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceStub
from servicekit.errors import AppError, Code
from servicekit.rpc.status import ask

TIMEOUT_SECONDS = 10.0
CALLERS_FAULT = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT, Code.NOT_FOUND})


class GrpcPassageSearch:
    """Asks SearchService; the channel forwards the caller's token, so retrieval decides what may be seen."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SearchServiceStub(channel)

    async def search(
        self, query: str, *, top_k: int, document_ids: Sequence[str], collection_ids: Sequence[str]
    ) -> tuple[Passage, ...]:
        """Returns passages, best first, numbered from 1. Raises RetrievalUnavailable."""
        request = search_service_pb2.SearchRequest(
            query=query, top_k=top_k, document_ids=document_ids, collection_ids=collection_ids
        )
        try:
            response = await ask(self._stub.Search(request, timeout=TIMEOUT_SECONDS))
        except AppError as error:
            if error.code in CALLERS_FAULT:
                raise
            raise RetrievalUnavailable from error
        return tuple(to_passage(number, hit) for number, hit in enumerate(response.hits, start=1))


def to_passage(marker: int, hit: hit_pb2.Hit) -> Passage:
    """Returns a hit as the passage of a number; names are cleaned, its text is verbatim."""
    return Passage(
        marker=marker,
        document_id=hit.document_id,
        version_id=hit.version_id,
        filename=clean(hit.filename),
        title=clean(hit.title),
        page_start=hit.page_start,
        page_end=hit.page_end,
        start_offset=hit.start_offset,
        end_offset=hit.end_offset,
        text=hit.text,
        score=hit.score,
        heading_path=tuple(map(clean, hit.heading_path)),
        page_break_offsets=tuple(hit.page_break_offsets),
        language=hit.language,
        highlights=tuple(Highlight(one.start_offset, one.end_offset, one.score) for one in hit.highlights),
        token_count=hit.token_count,
        relevance=hit.relevance if hit.HasField("relevance") else None,
    )
