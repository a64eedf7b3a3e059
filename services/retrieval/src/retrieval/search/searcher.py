"""From a query to the passages its asker may see."""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.errors import EmptyQuery
from retrieval.model import Chunk, DocumentVersion, Hit, Match, Matches, Scope, SparseVector, TenantId, Vector
from retrieval.ports import Allowance, Embedder, TermWeigher, VectorIndex, VersionRegistry
from retrieval.search.fusion import drop_repeats, fuse
from retrieval.search.highlights import highlight
from retrieval.search.leg_weights import LegWeights, weigh_legs
from servicekit.memory import Memory
from servicekit.telemetry import span

DEFAULT_TOP_K = 8
MAX_TOP_K = 50
SPARE = 4
LEAST_CANDIDATES = 50
MAX_ROUNDS = 3
# Some 5,000 queries of a model with 384 dimensions.
QUERIES_BYTES = 16 * 1024 * 1024
# Characters whose words are stemmed in half a millisecond; a thread's way there and back is hardly less.
SHORT = 250

Passages = Mapping[str, tuple[DocumentVersion, Chunk]]
Query = tuple[Vector, SparseVector]


@dataclass(frozen=True)
class Searcher:
    """The only way to search."""

    embedder: Embedder
    weigher: TermWeigher
    index: VectorIndex
    registry: VersionRegistry
    allowance: Allowance
    count_tokens: Callable[[str], int]
    known_languages: frozenset[str] | None = None  # of the embedder; None: all
    # By tenant first: nobody learns from how long a search takes what another tenant asked.
    queries: Memory[tuple[TenantId, str], Query] = field(default_factory=lambda: Memory(QUERIES_BYTES))

    async def search(self, scope: Scope, query: str, top_k: int = DEFAULT_TOP_K) -> list[Hit]:
        """Returns at most top_k (no more than 50) visible passages, best first.

        Raises EmptyQuery, EmbedderUnavailable, EmbedderRefused, IndexUnavailable, AppError QUOTA_EXCEEDED.
        """
        if is_blank(query):
            raise EmptyQuery
        wanted = min(top_k, MAX_TOP_K)
        dense, sparse = await self._understand(scope, query)
        limit = max(SPARE * wanted, LEAST_CANDIDATES)
        hits: list[Hit] = []
        for _ in range(MAX_ROUNDS):
            with span("retrieval.match", limit=limit):
                matches = await self.index.match(scope, dense, sparse, limit, wanted + SPARE)
            visible = await self._keep_visible(scope, matches)
            weights = weigh_legs(query, visible.sparse, self.known_languages)
            hits = await self._read(scope, fuse(visible, weights), matches.passages, wanted)
            if len(hits) >= wanted or max(len(matches.dense), len(matches.sparse)) < limit:
                break
            limit *= SPARE
        with span("retrieval.highlight"):
            return highlight(query, hits[:wanted], by_meaning=self._can_judge(weights))

    async def _understand(self, scope: Scope, query: str) -> Query:
        """Returns a query as the index is asked; who asks again, or searches and then asks, waits for no model."""
        known = self.queries.recall((scope.tenant_id, query))
        if known is not None:
            return known
        await self.allowance.spend(scope.tenant_id, scope.user_id, self.count_tokens(query), scope.api_key_id)
        with span("retrieval.embed_query"):
            dense, sparse = await asyncio.gather(self.embedder.embed_query(query), self._weigh(query))
        self.queries.remember((scope.tenant_id, query), (dense, sparse), dense.nbytes + 4 * len(query))
        return dense, sparse

    async def _weigh(self, query: str) -> SparseVector:
        if len(query) <= SHORT:
            return self.weigher.weigh_query(query, "")
        # A long query is stemmed in thirty languages: tens of milliseconds that the event loop has not got.
        return await asyncio.to_thread(self.weigher.weigh_query, query, "")

    def _can_judge(self, weights: LegWeights) -> bool:
        """Whether a cosine tells if a passage is about the query: not in languages that the model does not know.

        Nor with hosted models, which know them all: what is far apart for one is near for another.
        """
        return self.known_languages is not None and weights.similarity > 0

    async def _read(self, scope: Scope, ranked: Sequence[Match], known: Passages, wanted: int) -> list[Hit]:
        """Reads as many of the best as are wanted, and the others only where repeats left too few."""
        hits: list[Hit] = []
        for some in (ranked[:wanted], ranked[wanted:]):
            if not some or len(hits) >= wanted:
                break
            found = {**known, **await self._fetch([match.point_id for match in some if match.point_id not in known])}
            read = [
                Hit(*found[match.point_id], match.score, similarity=match.similarity)
                for match in some
                if match.point_id in found
            ]
            hits = drop_repeats([*hits, *(hit for hit in read if is_open(hit.version, scope))])
        return hits

    async def _fetch(self, point_ids: Sequence[str]) -> Passages:
        if not point_ids:
            return {}
        with span("retrieval.read", points=len(point_ids)):
            return await self.index.read(point_ids)

    async def _keep_visible(self, scope: Scope, matches: Matches) -> Matches:
        """Asks the registry after the index, so that a deletion or activation acknowledged before is never missed.

        It comes before fusion: what nobody may see must not hold a rank.
        """
        both = (*matches.dense, *matches.sparse)
        version_ids = sorted({match.version_id for match in both})
        with span("retrieval.find_visible", versions=len(version_ids)):
            visible = await self.registry.find_visible(scope.tenant_id, version_ids)
        dense, sparse = (
            [match for match in leg if match.version_id in visible] for leg in (matches.dense, matches.sparse)
        )
        return Matches(dense, sparse)


def is_blank(query: str) -> bool:
    """Whether a query has nothing but spaces and characters that do not print."""
    return all(unicodedata.category(character)[0] in "ZC" for character in query)


def is_open(version: DocumentVersion, scope: Scope) -> bool:
    """Whether the walls let a caller see a version: the index filtered already; this is the second time, and free."""
    return version.tenant_id == scope.tenant_id and version.private_to_user_id in ("", scope.user_id)
