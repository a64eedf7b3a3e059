"""The composition root: chooses the adapters and serves."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

import grpc
from pydantic import SecretStr

from docuchat.retrieval.v1.index_service_pb2_grpc import add_IndexServiceServicer_to_server
from docuchat.retrieval.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from retrieval.config import EmbedderName, Settings
from retrieval.index.edge_vector_index import EdgeVectorIndex
from retrieval.index.generation import Generation
from retrieval.indexing.indexer import Indexer
from retrieval.indexing.sweep import sweep_regularly
from retrieval.model import IndexUnavailable
from retrieval.ports import Embedder, TermWeigher, VectorIndex, VersionRegistry
from retrieval.search.searcher import Searcher
from retrieval.servicers.index_servicer import IndexServicer
from retrieval.servicers.search_servicer import SearchServicer
from retrieval.stores.postgres_version_registry import PostgresVersionRegistry
from retrieval.weighing.bm25_term_weigher import Bm25TermWeigher
from servicekit.database import Database
from servicekit.errors import AppError
from servicekit.rpc.server import run_service
from servicekit.telemetry import get_logger

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
# MiniLM was trained on English; the hosted models on everything.
KNOWN_LANGUAGES = {EmbedderName.MINILM: frozenset({"en"})}
GEMINI_DIMENSIONS = 1536


class ClosableEmbedder(Embedder, Protocol):
    """An embedder as the adapters are made."""

    async def close(self) -> None:
        """Releases what was opened."""
        ...


class IndexPreparation:
    """Prepares the index when the process starts and whenever it was away, while calls are already taken.

    An index that was away may come back empty. Until it is prepared the health
    check fails, so nothing is routed here, and nothing waits.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._needed = asyncio.Event()
        self._needed.set()

    async def keep_prepared(self) -> None:
        """Prepares again and again until it works; runs as long as the service."""
        delay = FIRST_RETRY_SECONDS
        while True:
            await self._needed.wait()
            try:
                await self._index.prepare()
            except AppError as error:
                get_logger("index").warning("vector index is not ready", reason=error.reason, retry_in_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY_SECONDS)
            else:
                self._needed.clear()
                delay = FIRST_RETRY_SECONDS

    async def check(self) -> str:
        """Returns the engine's version. Raises IndexUnavailable while it is away or not prepared."""
        try:
            version = await self._index.ping()
        except AppError:
            self._needed.set()
            raise
        if self._needed.is_set():
            raise IndexUnavailable
        return version


def build_servicers(
    embedder: Embedder,
    weigher: TermWeigher,
    index: VectorIndex,
    registry: VersionRegistry,
    known_languages: frozenset[str] | None,
) -> Callable[[grpc.aio.Server], None]:
    """Returns what adds both servicers to a server."""
    searcher = Searcher(embedder, weigher, index, registry, known_languages)
    indexer = Indexer(embedder, weigher, index, registry)

    def add(server: grpc.aio.Server) -> None:
        add_SearchServiceServicer_to_server(SearchServicer(searcher), server)
        add_IndexServiceServicer_to_server(IndexServicer(indexer), server)

    return add


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains and closes what it opened."""
    async with AsyncExitStack() as stack:
        database = Database.connect(
            settings.database_url.get_secret_value(), name="retrieval", pool_size=settings.database_pool_size
        )
        stack.push_async_callback(database.close)
        embedder = await open_embedder(settings)
        stack.push_async_callback(embedder.close)
        generation = Generation(embedder.model, embedder.dimensions)
        index = connect_index(settings, generation)
        stack.push_async_callback(index.close)
        preparation = IndexPreparation(index)
        registry = PostgresVersionRegistry(database, generation.collection)
        await run_service(
            settings,
            name="retrieval",
            add_servicers=build_servicers(
                embedder,
                Bm25TermWeigher(),
                index,
                registry,
                KNOWN_LANGUAGES.get(settings.embedder),
            ),
            checks={
                "postgresql": database.ping,
                "vector index": preparation.check,
                "embedder": partial(check_embedder, embedder),
            },
            background=[preparation.keep_prepared, partial(sweep_regularly, index, registry)],
        )


async def open_embedder(settings: Settings) -> ClosableEmbedder:
    """Returns the configured model. Raises EmbedderUnavailable."""
    # Each is imported where it is chosen: the SDKs of the others cost seconds and a hundred megabytes.
    match settings.embedder:
        case EmbedderName.MINILM:
            from retrieval.embedders.minilm_embedder import MiniLmEmbedder  # noqa: PLC0415 - see above

            return await MiniLmEmbedder.open(settings.data_dir / "models")
        case EmbedderName.OPENAI:
            from retrieval.embedders.openai_embedder import OpenAIEmbedder  # noqa: PLC0415 - see above

            return await OpenAIEmbedder.open(
                api_key=_reveal(settings.openai_api_key),
                base_url=settings.openai_base_url,
                model=settings.openai_embedding_model,
                dimensions=settings.embedding_dimensions,
            )
        case EmbedderName.GEMINI:
            from retrieval.embedders.gemini_embedder import GeminiEmbedder  # noqa: PLC0415 - see above

            return GeminiEmbedder.open(
                api_key=_reveal(settings.gemini_api_key),
                base_url=settings.gemini_base_url,
                model=settings.gemini_embedding_model,
                dimensions=settings.embedding_dimensions or GEMINI_DIMENSIONS,
            )


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def connect_index(settings: Settings, generation: Generation) -> VectorIndex:
    """Returns the Qdrant server where QDRANT_URL names one, the embedded engine otherwise."""
    if settings.qdrant_url:
        # Its client takes half a second of processor time to import, which every start without one would pay.
        from retrieval.index.qdrant_vector_index import QdrantVectorIndex  # noqa: PLC0415 - see above

        return QdrantVectorIndex.connect(settings.qdrant_url, _reveal(settings.qdrant_api_key) or None, generation)
    return EdgeVectorIndex(settings.engine_target, generation)


async def check_embedder(embedder: Embedder) -> str:
    """Returns the model's name. Hosted models are not called: checks run every two seconds and calls cost money."""
    return embedder.model
