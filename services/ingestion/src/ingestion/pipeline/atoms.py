"""Cuts sections into atoms: the sentences, or pieces of overlong ones, that chunks are packed from."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.pipeline.sections import Section
from ingestion.ports import Tokenizer
from language.sentences import paragraph_spans, piece_spans, sentence_spans
from language.spans import Span

LONGEST_CHUNK = 10_000
"""Characters; 400 tokens of prose are 2,000, but one token can be 80 blanks."""
LONGEST_SENTENCE = 4_000
PIECE = 200


@dataclass(frozen=True)
class Atom:
    """Text [start, end) without blanks around it. ``tokens`` includes those of the blanks before it."""

    start: int
    end: int
    tokens: int
    section: int
    opens_paragraph: bool


def cut_atoms(text: str, section: Section, number: int, tokenizer: Tokenizer, size: int) -> list[Atom]:
    """Returns the atoms of a section, each well below ``size`` tokens. Counts every sentence once."""
    atoms: list[Atom] = []
    for start, end in paragraph_spans(text, section.start, section.end):
        opens = True
        for span in sentence_spans(text, start, end):
            for begin, finish, tokens in _fit(text, span, atoms[-1].end if atoms else section.start, tokenizer, size):
                atoms.append(Atom(begin, finish, tokens, number, opens))
                opens = False
    return atoms


def _fit(text: str, span: Span, previous: int, tokenizer: Tokenizer, size: int) -> Iterator[tuple[int, int, int]]:
    """Yields a sentence with its token count, or its pieces if it would not fit a chunk with some room."""
    start, end = span
    if end - start <= LONGEST_SENTENCE:
        tokens = tokenizer.count(_with_gap(text, previous, start, end))
        if tokens <= size - max(2, size // 10):
            yield start, end, tokens
            return
    for piece in piece_spans(text, start, end, PIECE):
        yield from _halve(text, piece, previous, tokenizer, max(4, size // 8))
        previous = piece[1]


def _halve(text: str, span: Span, previous: int, tokenizer: Tokenizer, most: int) -> Iterator[tuple[int, int, int]]:
    """Yields a piece, in halves of halves if it has more than ``most`` tokens."""
    start, end = span
    tokens = tokenizer.count(_with_gap(text, previous, start, end))
    if tokens <= most or end - start < 2:
        yield start, end, tokens
        return
    for half in piece_spans(text, start, end, (end - start + 1) // 2):
        yield from _halve(text, half, previous, tokenizer, most)
        previous = half[1]


def _with_gap(text: str, previous: int, start: int, end: int) -> str:
    # A blank before a word is part of its first token. A gap too wide for any chunk is not counted.
    return text[previous if start - previous <= LONGEST_CHUNK else start : end]
