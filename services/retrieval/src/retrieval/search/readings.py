"""What of a passage is compared with queries. It hangs on the passage alone, so it is worked out once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from language.scripts import guess_language
from language.sentences import split_sentences
from language.spans import Span
from language.words import find_terms
from retrieval.model import Chunk, DocumentVersion
from servicekit.memory import Memory

MOST_SENTENCES = 200  # of a passage: the work grows with their number times a query's terms; a chunk has about 20
SHORTEST_PART = 5  # letters of what is a part of another term
# Some 4,000 English passages of 400 tokens, or 500 Chinese ones.
READINGS_BYTES = 32 * 1024 * 1024
_ENDS_SENTENCE = re.compile(r"[.!…:۔।。！｡]\W{0,4}\Z")
_ASKS = re.compile(r"[?？؟]\W{0,4}\Z")
_LONGEST_HEADING = 60  # characters


@dataclass(frozen=True, slots=True)
class ReadSentence:
    """A sentence of a passage, its terms in order, and whether it is neither a heading nor a question."""

    span: Span
    terms: tuple[str, ...]
    states: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage's sentences and terms, stemmed in the language of its document."""

    language: str
    sentences: tuple[ReadSentence, ...]
    above: tuple[str, ...]  # the terms of the title and the headings
    line: str  # all terms, a blank around each
    long: tuple[str, ...]  # those of at least SHORTEST_PART letters


# By all that it is made of, the tenant among it. Highlights are found on the event loop alone.
_readings: Memory[tuple[DocumentVersion, Chunk], Reading] = Memory(READINGS_BYTES)


def read_passage(version: DocumentVersion, chunk: Chunk) -> Reading:
    """Returns the reading of a passage, from memory where it was read lately."""
    reading = _readings.recall((version, chunk))
    if reading is None:
        reading = _read(version, chunk)
        _readings.remember((version, chunk), reading, _measure(chunk, reading))
    return reading


def join_terms(terms: Sequence[str]) -> str:
    """Returns terms as one text, in which each has a blank before and behind it."""
    return f" {' '.join(terms)} "


def select_long(terms: Sequence[str]) -> tuple[str, ...]:
    """Returns the terms that are long enough to be a part of another one, each once."""
    return tuple(dict.fromkeys(term for term in terms if len(term) >= SHORTEST_PART))


def _read(version: DocumentVersion, chunk: Chunk) -> Reading:
    language = version.language or guess_language(chunk.text)
    spans = split_sentences(chunk.text)[:MOST_SENTENCES]
    sentences = tuple(_read_sentence(chunk.text, span, language) for span in spans)
    terms = tuple(term for sentence in sentences for term in sentence.terms)
    above = tuple(term for title in (version.title, *chunk.heading_path) for term in find_terms(title, language))
    return Reading(language, sentences, above, join_terms(terms), select_long(terms))


def _measure(chunk: Chunk, reading: Reading) -> int:
    """Returns about how many bytes a reading takes: passages of one language share its words, but no pairs of signs."""
    terms = sum(8 if term.isascii() else 96 for sentence in reading.sentences for term in sentence.terms)
    return 2 * len(chunk.text) + 2 * len(reading.line) + terms


def _read_sentence(text: str, span: Span, language: str) -> ReadSentence:
    sentence = text[span.start : span.end]
    return ReadSentence(span, tuple(find_terms(sentence, language)), _states(sentence))


def _states(sentence: str) -> bool:
    is_heading = len(sentence) < _LONGEST_HEADING and not _ENDS_SENTENCE.search(sentence)
    return not is_heading and not _ASKS.search(sentence)
