"""The composition root: chooses the adapters and serves."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

import grpc
from pydantic import SecretStr

from docuchat.common.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from docuchat.retrieval.v1.index_service_pb2_grpc import add_IndexServiceServicer_to_server
from docuchat.retrieval.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from retrieval.config import EmbedderName, Settings
from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.indexing.erase import TenantEraser
from retrieval.indexing.indexer import Indexer
from retrieval.indexing.preparation import IndexPreparation
from retrieval.indexing.sweep import SWEEP_SECONDS, sweep
from retrieval.ports import Allowance, Embedder, TermWeigher, VectorIndex, VersionRegistry
from retrieval.search.searcher import Searcher
from retrieval.servicers.index import IndexServicer
from retrieval.servicers.search import SearchServicer
from retrieval.stores.versions import PostgresVersionRegistry
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Generation
from servicekit.config import reveal_service_secret
from servicekit.database import open_database
from servicekit.metering.allowance import FLUSH_SECONDS, TokenAllowance
from servicekit.metering.meter import GrpcUsageMeter
from servicekit.repeating import repeat
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.rpc.erasure_service import ErasureServicer
from servicekit.rpc.server import run_service
from servicekit.tokenization import Cl100kTokenizer

# MiniLM was trained on English; the hosted models on everything.
KNOWN_LANGUAGES = {EmbedderName.MINILM: frozenset({"en"})}
GEMINI_DIMENSIONS = 1536


class ClosableEmbedder(Embedder, Protocol):
    """An embedder as the adapters are made."""

    async def close(self) -> None:
        """Releases what was opened."""
        ...


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains and closes what it opened."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="retrieval"))
        embedder = await open_embedder(settings)
        stack.push_async_callback(embedder.close)
        generation = Generation(embedder.model, embedder.dimensions)
        index = connect_index(settings, generation)
        stack.push_async_callback(index.close)
        auth = await stack.enter_async_context(open_channel(settings.auth_target))
        identity = ServiceIdentity(auth, "retrieval", reveal_service_secret(settings))
        # A search waits for it: what a second try would take is better taken on trust.
        own_auth = await stack.enter_async_context(open_channel(settings.auth_target, identity=identity, retries=False))
        allowance = TokenAllowance(GrpcUsageMeter(own_auth), embedder.model)
        stack.push_async_callback(allowance.close)
        preparation = IndexPreparation(index)
        registry = PostgresVersionRegistry(database, generation.collection)
        await run_service(
            settings,
            name="retrieval",
            add_servicers=partial(
                add_servicers,
                embedder=embedder,
                weigher=Bm25TermWeigher(),
                index=index,
                registry=registry,
                allowance=allowance,
                count_tokens=Cl100kTokenizer().count,
                known_languages=KNOWN_LANGUAGES.get(settings.embedder),
            ),
            checks={
                "postgresql": database.ping,
                "vector index": preparation.check,
                "embedder": partial(check_embedder, embedder),
            },
            background=[
                preparation.keep_prepared,
                partial(repeat, "sweep", partial(sweep, index, registry), every_seconds=SWEEP_SECONDS),
                partial(repeat, "usage", allowance.flush, every_seconds=FLUSH_SECONDS),
            ],
        )


def add_servicers(
    server: grpc.aio.Server,
    *,
    embedder: Embedder,
    weigher: TermWeigher,
    index: VectorIndex,
    registry: VersionRegistry,
    allowance: Allowance,
    count_tokens: Callable[[str], int],
    known_languages: frozenset[str] | None,
) -> None:
    """Adds the services of retrieval to a server."""
    searcher = Searcher(embedder, weigher, index, registry, allowance, count_tokens, known_languages)
    add_SearchServiceServicer_to_server(SearchServicer(searcher), server)
    add_IndexServiceServicer_to_server(IndexServicer(Indexer(embedder, weigher, index, registry)), server)
    add_ErasureServiceServicer_to_server(ErasureServicer(TenantEraser(index, registry).erase), server)


async def open_embedder(settings: Settings) -> ClosableEmbedder:
    """Returns the configured model. Raises EmbedderUnavailable."""
    # Each is imported where it is chosen: the SDKs of the others cost seconds and a hundred megabytes.
    match settings.embedder:
        case EmbedderName.MINILM:
            from retrieval.embedders.minilm import MiniLmEmbedder  # noqa: PLC0415 - see above

            return await MiniLmEmbedder.open(settings.data_dir / "models")
        case EmbedderName.OPENAI:
            from retrieval.embedders.openai import OpenAIEmbedder  # noqa: PLC0415 - see above

            return await OpenAIEmbedder.open(
                api_key=_reveal(settings.openai_api_key),
                base_url=settings.openai_base_url,
                model=settings.openai_embedding_model,
                dimensions=settings.embedding_dimensions,
            )
        case EmbedderName.GEMINI:
            from retrieval.embedders.gemini import GeminiEmbedder  # noqa: PLC0415 - see above

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
        from retrieval.vectors.qdrant import QdrantVectorIndex  # noqa: PLC0415 - see above

        return QdrantVectorIndex.connect(settings.qdrant_url, _reveal(settings.qdrant_api_key) or None, generation)
    return EdgeVectorIndex(settings.engine_target, generation)


async def check_embedder(embedder: Embedder) -> str:
    """Returns the model's name. Hosted models are not called: checks run every two seconds and calls cost money."""
    return embedder.model
