"""What the errors of the two engines mean to those who call them."""

import tempfile
from contextlib import asynccontextmanager

import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retrieval.engine.errors import CollectionMismatch, CollectionUnavailable, RequestRefused
from retrieval.engine.server import build_engine, start_engine
from retrieval.errors import IndexRefused, IndexUnavailable
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Deadlines, Generation
from retrieval.vectors.qdrant import QdrantVectorIndex
from servicekit.errors import AppError, StorageFull

GENERATION = Generation("errors", 8)


class FailingCatalog:
    """What the engine's servicer calls, failing in one way."""

    def __init__(self, error):
        self.error, self.calls = error, 0

    async def look(self, name, work):
        self.calls += 1
        raise self.error


@asynccontextmanager
async def connect(catalog):
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        server = build_engine(catalog)
        target = f"unix:{folder}/engine.sock"
        await start_engine(server, target)
        index = EdgeVectorIndex(target, GENERATION, deadlines=Deadlines(read=5))
        yield index
        await index.close()
        await server.stop(0)


@pytest.mark.parametrize(
    ("error", "meant", "reason"),
    [
        (StorageFull("the vector index"), StorageFull, "STORAGE_FULL"),
        (CollectionMismatch("c", 8, 9), IndexRefused, "INDEX_REFUSED"),
        (RequestRefused(), IndexRefused, "INDEX_REFUSED"),
        (CollectionUnavailable(), IndexUnavailable, "INDEX_UNAVAILABLE"),
        (TimeoutError(), IndexUnavailable, "INDEX_UNAVAILABLE"),
        (RuntimeError("a fault of the engine"), AppError, "INTERNAL_ERROR"),
    ],
)
async def test_each_error_of_the_engine_has_its_meaning(error, meant, reason):
    catalog = FailingCatalog(error)
    async with connect(catalog) as index:
        with pytest.raises(meant) as caught:
            await index.count("t", "v")
    assert caught.value.reason == reason


class FailingClient:
    """A Qdrant client that fails in one way."""

    def __init__(self, error):
        self.error = error

    async def count(self, *_, **__):
        raise self.error


def answer(status, content=b""):
    return UnexpectedResponse(status, "", content, {})


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        *[(answer(status), IndexRefused) for status in (400, 401, 403, 413, 422)],
        *[(answer(status), IndexUnavailable) for status in (404, 408, 429, 500, 502, 503)],
        (answer(507), StorageFull),
        (answer(500, b"Service internal error: No space left on device"), StorageFull),
        (ResponseHandlingException(ConnectionError()), IndexUnavailable),
        (ResourceExhaustedResponse("slow down", 1), IndexUnavailable),
        (TimeoutError(), IndexUnavailable),
    ],
)
async def test_each_error_of_a_server_has_its_meaning(error, meant):
    index = QdrantVectorIndex(FailingClient(error), GENERATION)
    index._prepared = True
    with pytest.raises(meant):
        await index.count("t", "v")
