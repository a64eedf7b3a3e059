"""The RPC edge of CollectionService."""

from docuchat.ingestion.v1 import collection_service_pb2 as pb
from docuchat.ingestion.v1.collection_service_pb2_grpc import CollectionServiceServicer
from ingestion.convert import to_caller, to_collection_proto, to_visibility
from ingestion.library.collections import create_collection, get_collection
from ingestion.model import CollectionId
from ingestion.ports import CollectionStore
from servicekit.identity import current_principal
from servicekit.rpc.call import ServicerContext
from servicekit.rpc.paging import cut_page, decode_row_key, page_size

PAGES = "collections"


class CollectionServicer(CollectionServiceServicer):
    """Groups of documents."""

    def __init__(self, collections: CollectionStore) -> None:
        self._collections = collections

    async def CreateCollection(
        self, request: pb.CreateCollectionRequest, context: ServicerContext
    ) -> pb.CreateCollectionResponse:
        """Creates an empty collection."""
        caller = to_caller(current_principal())
        visibility = to_visibility(request.visibility)
        created = await create_collection(self._collections, caller, request.display_name, visibility)
        return pb.CreateCollectionResponse(collection=to_collection_proto(created))

    async def GetCollection(
        self, request: pb.GetCollectionRequest, context: ServicerContext
    ) -> pb.GetCollectionResponse:
        """Returns one collection."""
        found = await get_collection(
            self._collections, to_caller(current_principal()), CollectionId(request.collection_id)
        )
        return pb.GetCollectionResponse(collection=to_collection_proto(found))

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: ServicerContext
    ) -> pb.ListCollectionsResponse:
        """Lists the collections the caller may see, newest first."""
        size = page_size(request.page_size)
        before = decode_row_key(PAGES, request.page_token)
        found = await self._collections.list_page(to_caller(current_principal()), size + 1, before)
        page, more = cut_page(PAGES, found, size, lambda row: (row.create_time, row.collection_id))
        return pb.ListCollectionsResponse(collections=map(to_collection_proto, page), next_page_token=more)
