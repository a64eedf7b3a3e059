"""SearchService at the RPC edge."""

from docuchat.retrieval.v1 import search_service_pb2 as search_pb2
from docuchat.retrieval.v1 import search_service_pb2_grpc
from retrieval.convert import to_hit_proto, to_scope
from retrieval.search.searcher import DEFAULT_TOP_K, Searcher
from servicekit.identity import current_principal
from servicekit.rpc.call import ServicerContext


class SearchServicer(search_service_pb2_grpc.SearchServiceServicer):
    """Searches within what the caller's token opens."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher

    async def Search(self, request: search_pb2.SearchRequest, context: ServicerContext) -> search_pb2.SearchResponse:
        """Returns the best visible passages, best first."""
        scope = to_scope(request, current_principal())
        hits = await self._searcher.search(scope, request.query, request.top_k or DEFAULT_TOP_K)
        return search_pb2.SearchResponse(hits=[to_hit_proto(hit) for hit in hits])
