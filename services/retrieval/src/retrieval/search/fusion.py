"""Making one order out of two."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from retrieval.model import Hit, Match, Matches
from retrieval.search.leg_weights import LegWeights

# How slowly a rank loses its worth: at 20 the 21st is worth half the first.
RANK_CONSTANT = 20


def fuse(matches: Matches, weights: LegWeights) -> list[Match]:
    """Returns the matches of both legs, best first, with scores and cosines from 0 to 1.

    A score adds three shares: what is left of the rank in each leg (weighted
    reciprocal rank fusion, Cormack et al., SIGIR 2009; the first has all of it)
    and the cosine similarity to the query. So the order owes as much to ranks
    as to meaning, and a weak best hit looks weak. README has the figures.
    """
    scores: dict[str, float] = defaultdict(float)
    found: dict[str, Match] = {}
    for leg, weight in ((matches.dense, weights.dense_rank), (matches.sparse, weights.sparse_rank)):
        for rank, match in enumerate(leg):
            key = _name(match)
            found.setdefault(key, match)
            scores[key] += weight * RANK_CONSTANT / (RANK_CONSTANT + rank)
    similarities = {_name(match): match.score for match in matches.dense}
    # What the dense leg did not reach is at most as similar as the last it reached.
    least = matches.dense[-1].score if matches.dense else 0.0
    for key in scores:
        scores[key] += weights.similarity * min(max(similarities.get(key, least), 0.0), 1.0)
    # The name breaks ties, so that the same index always gives the same order.
    order = sorted(scores, key=lambda key: (-scores[key], key))
    return [replace(found[key], score=scores[key], similarity=similarities.get(key, 0.0)) for key in order]


def drop_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """Returns the hits without those that say word for word what a better one of the same document says."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for hit in hits:
        said = (hit.version.document_id, hit.chunk.text)
        if said not in seen:
            seen.add(said)
            kept.append(hit)
    return kept


def _name(match: Match) -> str:
    return f"{match.version_id}/{match.chunk_index}"
