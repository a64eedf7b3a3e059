"""BM25 term weights (Robertson and Zaragoza 2009), made here so that both engines hold the same tokens."""

from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet, TokenizerType

from language.folding import fold_letters
from retrieval.model import SparseVector

# ISO 639-1 codes of the languages with a stemmer and stop words.
STEMMED = frozenset(
    "ar az bn ca da de el en es eu fi fr he hu id it kk ne nl no pt ro ru sl sv tg tr".split()  # noqa: SIM905 - thirty lines otherwise
)


class Bm25TermWeigher:
    """Weighs terms; how rare a term is, the engine knows and multiplies in at query time (IDF).

    A passage is stemmed by its language, or not at all where that has no stemmer
    (Persian among them). A query in an unknown language gets, beside the words as they
    are, their stems in each language it may be in: a passage holds the one of its own,
    so each word still counts once.
    """

    def __init__(self) -> None:
        self._stemmed = {language: _stemmer(language) for language in STEMMED}
        self._plain = Bm25(
            Bm25Config(tokenizer=TokenizerType.Multilingual, stemmer=DisabledStemmer(), stopwords=StopwordsSet())
        )

    def weigh_passage(self, text: str, language: str) -> SparseVector:
        """Returns the saturated term frequencies of a passage."""
        found = self._stemmed.get(language, self._plain).embed_document(fold_letters(text))
        return SparseVector(tuple(found.indices), tuple(found.values))

    def weigh_query(self, text: str, language: str) -> SparseVector:
        """Returns every term of the query with weight 1."""
        folded = fold_letters(text)
        stemmer = self._stemmed.get(language)
        terms = sorted(stemmer.embed_query(folded).indices if stemmer else self._stem_every_way(folded))
        return SparseVector(tuple(terms), (1.0,) * len(terms))

    def _stem_every_way(self, text: str) -> set[int]:
        plain = self._plain.embed_query(text).indices
        by_language = [stemmer.embed_query(text).indices for stemmer in self._stemmed.values()]
        # The language whose stop words take most away is the query's; without any, it could be each of them.
        fewest = min(len(terms) for terms in by_language)
        return {*plain, *(term for terms in by_language if len(terms) == fewest for term in terms)}


def _stemmer(language: str) -> Bm25:
    return Bm25(Bm25Config(tokenizer=TokenizerType.Multilingual, language=language))
