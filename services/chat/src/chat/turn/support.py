"""Finding the sentence of a passage that supports a claim made in other words."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from language.scripts import guess_language
from language.sentences import split_sentences
from language.spans import Span
from language.words import find_terms

THRESHOLD = 0.5  # share of the claim's weight that the sentence must hold
NUMBER_WEIGHT = 3.0
PAIR_GAIN = 0.2  # what a second sentence must add to be worth quoting
MIN_TERMS = 2


@dataclass(frozen=True)
class Place:
    """A sentence, or two neighbouring ones, with those of the claim's terms that it holds."""

    span: Span
    held: frozenset[str]

    def up_to(self, other: "Place") -> "Place":
        """Returns this place and the next as one."""
        return Place(Span(self.span.start, other.span.end), self.held | other.held)


def find_support(claim: str, canonical: str, language: str = "") -> Span | None:
    """Returns the sentence, or two neighbouring ones, that hold most of a claim's words; None if none holds half.

    Words weigh by their rarity in the passage, and numbers weigh most: a claim with another number is another claim.
    language is the passage's (ISO 639-1); "" is guessed.
    """
    spoken = language or guess_language(canonical)
    wanted = frozenset(find_terms(claim, spoken))
    if len(wanted) < MIN_TERMS:
        return None
    singles = [
        Place(span, wanted.intersection(find_terms(canonical[span.start : span.end], spoken)))
        for span in split_sentences(canonical)
    ]
    weights = weigh_terms(wanted, [place.held for place in singles])
    single = best_cover(weights, singles)
    pair = best_cover(weights, [first.up_to(second) for first, second in pairwise(singles)])
    share, span = pair if pair[0] >= single[0] + PAIR_GAIN else single
    return span if share >= THRESHOLD else None


def best_cover(weights: dict[str, float], places: Sequence[Place]) -> tuple[float, Span | None]:
    """Returns the place that holds most of the weights, the first of equals, with its share."""
    total = sum(weights.values())
    # In the order of the weights, as their sum is made.
    shares = [(sum([weights[term] for term in weights if term in place.held]) / total, place.span) for place in places]
    return max(shares, key=itemgetter(0), default=(0.0, None))


def weigh_terms(wanted: Collection[str], sentences: Sequence[Collection[str]]) -> dict[str, float]:
    """Returns each wanted term's weight: its inverse frequency over the sentences, more for numbers."""
    counts = Counter(term for held in sentences for term in held)
    # In a fixed order: that of sets differs between processes, and so would sums and ties.
    return {
        term: math.log(1 + (len(sentences) + 1) / (counts[term] + 0.5)) * (NUMBER_WEIGHT if term.isdigit() else 1)
        for term in sorted(wanted)
    }
