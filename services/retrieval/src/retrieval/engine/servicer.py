"""EngineService at the RPC edge."""

from importlib.metadata import version

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from docuchat.retrieval.v1 import engine_service_pb2_grpc
from retrieval.engine.catalog import Catalog
from servicekit.rpc.call import ServicerContext


class EngineServicer(engine_service_pb2_grpc.EngineServiceServicer):
    """Passes each call on to the collection it names."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def PrepareCollection(
        self, request: engine_pb2.PrepareCollectionRequest, context: ServicerContext
    ) -> engine_pb2.PrepareCollectionResponse:
        """Creates or opens a collection."""
        return engine_pb2.PrepareCollectionResponse(point_count=await self._catalog.prepare(request))

    async def UpsertPoints(
        self, request: engine_pb2.UpsertPointsRequest, context: ServicerContext
    ) -> engine_pb2.UpsertPointsResponse:
        """Stores points durably."""
        await self._catalog.update(request.collection, lambda collection: collection.upsert(request))
        return engine_pb2.UpsertPointsResponse()

    async def MatchPoints(
        self, request: engine_pb2.MatchPointsRequest, context: ServicerContext
    ) -> engine_pb2.MatchPointsResponse:
        """Finds the nearest points by each of two vectors."""
        return await self._catalog.look(request.collection, lambda collection: collection.match(request))

    async def GetPoints(
        self, request: engine_pb2.GetPointsRequest, context: ServicerContext
    ) -> engine_pb2.GetPointsResponse:
        """Looks points up by their ids."""
        return await self._catalog.look(request.collection, lambda collection: collection.get(request))

    async def CountPoints(
        self, request: engine_pb2.CountPointsRequest, context: ServicerContext
    ) -> engine_pb2.CountPointsResponse:
        """Counts exactly."""
        count = await self._catalog.look(request.collection, lambda collection: collection.count(request.filter))
        return engine_pb2.CountPointsResponse(point_count=count)

    async def DeletePoints(
        self, request: engine_pb2.DeletePointsRequest, context: ServicerContext
    ) -> engine_pb2.DeletePointsResponse:
        """Removes points."""
        await self._catalog.update(request.collection, lambda collection: collection.delete(request))
        return engine_pb2.DeletePointsResponse()

    async def FlushCollection(
        self, request: engine_pb2.FlushCollectionRequest, context: ServicerContext
    ) -> engine_pb2.FlushCollectionResponse:
        """Forces everything to the disk."""
        await self._catalog.force(request.collection)
        return engine_pb2.FlushCollectionResponse()

    async def KeepCollections(
        self, request: engine_pb2.KeepCollectionsRequest, context: ServicerContext
    ) -> engine_pb2.KeepCollectionsResponse:
        """Removes the other collections."""
        await self._catalog.keep(request.collections)
        return engine_pb2.KeepCollectionsResponse()

    async def GetInfo(self, request: engine_pb2.GetInfoRequest, context: ServicerContext) -> engine_pb2.GetInfoResponse:
        """Says what runs."""
        return engine_pb2.GetInfoResponse(engine_version=f"qdrant-edge {version('qdrant-edge-py')}")
