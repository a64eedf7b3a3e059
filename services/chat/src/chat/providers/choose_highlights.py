"""Choosing what to quote: the best of the passages' highlights that say different things, within a length."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chat.model import Highlight, Passage
from language.scripts import guess_language
from language.sentences import piece_spans
from language.spans import Span
from language.words import find_terms

LEAST_RELEVANCE = 0.5  # of the best passage, or nothing fits
# What the best passage is ahead of all others, where the words leave it open; the second has half of it.
RANK_WORTH = 0.1
MAX_QUOTES = 6
ENOUGH_CHARACTERS, MAX_CHARACTERS = 300, 450  # of all quotes: no further one after so many, none that passes so many
LONGEST = 300  # characters of one quote; a longer sentence is cut at a clause
SAME = 0.7  # Jaccard
CLAUSE_END = re.compile(r"[,;:،؛、，；：—–]\s*|\s+[-(]\s*|\n")


@dataclass(frozen=True)
class Quote:
    """Verbatim text of a passage, and its terms."""

    passage: Passage
    text: str
    terms: frozenset[str]


def choose_highlights(question: str, passages: Sequence[Passage]) -> list[Quote]:
    """Returns one to six quotes, best first; none where no passage is about what is asked."""
    if not any(passage.relevance is None or passage.relevance >= LEAST_RELEVANCE for passage in passages):
        return []
    found = sorted(
        ((one, passage) for passage in passages for one in passage.highlights),
        key=lambda pair: (-pair[0].score - RANK_WORTH / pair[1].marker, pair[1].marker, pair[0].start_offset),
    )
    return _pick_different(_quote(question, passage, one) for one, passage in found)


def _quote(question: str, passage: Passage, found: Highlight) -> Quote:
    origin = passage.start_offset
    sentence = passage.text[found.start_offset - origin : found.end_offset - origin]
    text = cut_clauses(question, sentence, passage.language)
    return Quote(passage, text, frozenset(find_terms(text, passage.language)))


def cut_clauses(question: str, sentence: str, language: str = "") -> str:
    """Returns the part of a sentence, at most LONGEST characters of whole clauses, that holds most of the question."""
    if len(sentence) <= LONGEST:
        return sentence
    spoken = language or guess_language(sentence)
    wanted = frozenset(find_terms(question, spoken))
    runs = [sentence[run.start : run.end] for run in _join_clauses(sentence)]
    return max(runs, key=lambda run: len(wanted.intersection(find_terms(run, spoken))))


def _join_clauses(sentence: str) -> Iterator[Span]:
    """Yields the sentence in runs of clauses as long as they may be; a clause that is longer is cut at words."""
    start = end = 0
    for clause in (*(mark.end() for mark in CLAUSE_END.finditer(sentence)), len(sentence)):
        if clause - start > LONGEST:
            yield from piece_spans(sentence, start, end, LONGEST)
            start = end
        end = clause
    yield from piece_spans(sentence, start, end, LONGEST)


def _pick_different(quotes: Iterator[Quote]) -> list[Quote]:
    picked: list[Quote] = []
    length = 0
    for one in quotes:
        if length + len(one.text) <= MAX_CHARACTERS and not any(_is_same(one, other) for other in picked):
            picked.append(one)
            length += len(one.text)
        if len(picked) == MAX_QUOTES or length >= ENOUGH_CHARACTERS:
            break
    return picked


def _is_same(one: Quote, other: Quote) -> bool:
    """Whether two quotes say nearly the same in nearly the same words, as overlapping passages do."""
    return len(one.terms & other.terms) > SAME * len(one.terms | other.terms)
