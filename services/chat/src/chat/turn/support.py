"""Finding the sentence of a passage that supports a claim made in other words."""

import math
from collections import Counter
from itertools import pairwise

from language.sentences import split_sentences
from language.spans import Span
from language.words import find_terms

THRESHOLD = 0.5  # share of the claim's weight that the sentence must hold
NUMBER_WEIGHT = 3.0
PAIR_GAIN = 0.2  # what a second sentence must add to be worth quoting
MIN_TERMS = 2


def find_support(claim: str, canonical: str) -> Span | None:
    """Returns the sentence, or two neighbouring ones, that hold most of a claim's words; None if none holds half.

    Words weigh by their rarity in the passage, and numbers weigh most: a claim with another number is another claim.
    """
    wanted = set(find_terms(claim))
    if len(wanted) < MIN_TERMS:
        return None
    singles = split_sentences(canonical)
    pairs = [Span(first.start, second.end) for first, second in pairwise(singles)]
    weights = weigh_terms(wanted, [set(find_terms(canonical[span.start : span.end])) for span in singles])
    single, pair = best_cover(weights, canonical, singles), best_cover(weights, canonical, pairs)
    share, span = pair if pair[0] >= single[0] + PAIR_GAIN else single
    return span if share >= THRESHOLD else None


def best_cover(weights: dict[str, float], canonical: str, spans: list[Span]) -> tuple[float, Span | None]:
    """Returns the span that holds most of the weights, the first of equals, with its share."""
    shares = [(cover(weights, canonical[span.start : span.end]), span) for span in spans]
    return max(shares, key=lambda pair: pair[0], default=(0.0, None))


def weigh_terms(wanted: set[str], sentences: list[set[str]]) -> dict[str, float]:
    """Returns each wanted term's weight: its inverse frequency over the sentences, more for numbers."""
    counts = Counter(term for terms in sentences for term in terms & wanted)
    return {
        term: math.log(1 + (len(sentences) + 1) / (counts[term] + 0.5)) * (NUMBER_WEIGHT if term.isdigit() else 1)
        for term in wanted
    }


def cover(weights: dict[str, float], text: str) -> float:
    """Returns the share of the weights that a text holds, from 0 to 1."""
    total = sum(weights.values())
    held = set(find_terms(text))
    # Summed in a fixed order: set order differs between processes, and so would ties.
    return sum(weights[term] for term in sorted(weights) if term in held) / total if total else 0.0
