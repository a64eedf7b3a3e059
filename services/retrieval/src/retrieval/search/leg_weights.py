"""How much each leg of a hybrid search is worth for a query."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.model import Match

FOREIGN_LETTERS = 0.2
VOTERS = 10


@dataclass(frozen=True)
class LegWeights:
    """The shares of a fused score; they add up to 1."""

    dense_rank: float
    sparse_rank: float
    similarity: float


BOTH_LEGS = LegWeights(dense_rank=0.25, sparse_rank=0.25, similarity=0.5)
# So little that words decide the order wherever they match, and meaning only fills up behind them.
WORDS_FIRST = LegWeights(dense_rank=0.005, sparse_rank=0.995, similarity=0.0)


def weigh_legs(query: str, found_by_words: Sequence[Match], known_languages: frozenset[str] | None) -> LegWeights:
    """Returns the weights of the two legs.

    known_languages are those the embedding model was trained on, None for a
    model that knows them all. A model that does not know the language of a
    query puts noise on top of what the words find (README), so there the
    words decide. So they do for a query that is nothing but codes, which has
    no meaning to compare.
    """
    if names_codes_only(query):
        return WORDS_FIRST
    if known_languages is None or (knows_script(query) and knows_documents(found_by_words, known_languages)):
        return BOTH_LEGS
    return WORDS_FIRST


def names_codes_only(query: str) -> bool:
    """Whether every word of a query carries a digit, as part numbers, dates and error codes do."""
    words = query.split()
    return bool(words) and all(any(character.isdigit() for character in word) for word in words)


def knows_script(query: str) -> bool:
    """Whether a query is written as English is; one accented name in a sentence is English still."""
    letters = [character for character in query if unicodedata.category(character).startswith("L")]
    foreign = sum(not character.isascii() for character in letters)
    return foreign <= FOREIGN_LETTERS * len(letters)


def knows_documents(found_by_words: Sequence[Match], known_languages: frozenset[str]) -> bool:
    """Whether the best matches by words are mostly of known languages: German without umlauts looks like English."""
    votes = Counter(match.language for match in found_by_words[:VOTERS] if match.language)
    foreign = sum(count for language, count in votes.items() if language not in known_languages)
    return foreign * 2 <= votes.total()
