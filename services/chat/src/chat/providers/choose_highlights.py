"""Choosing what to quote: the best of the passages' highlights that say different things, within a length."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chat.model import Highlight, Passage
from language.scripts import guess_language
from language.spans import Span
from language.words import find_terms

LEAST_SCORE = 0.24  # share of the question that the best sentence must cover, or nothing fits
MAX_QUOTES = 3
MAX_CHARACTERS = 440  # of all quotes
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
    """Returns one to three quotes, best first; none where no sentence covers enough of the question."""
    found = sorted(
        ((one, passage) for passage in passages for one in passage.highlights),
        key=lambda pair: (-pair[0].score, pair[1].marker, pair[0].start_offset),
    )
    if not found or found[0][0].score < LEAST_SCORE:
        return []
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
    wanted = frozenset(find_terms(question, language or guess_language(sentence)))
    clauses = list(_clauses(sentence))
    runs = [sentence[first.start : _reach(clauses, first.start)].strip() for first in clauses]
    return max(runs, key=lambda run: len(wanted.intersection(find_terms(run, language))))


def _clauses(sentence: str) -> Iterator[Span]:
    start = 0
    for mark in CLAUSE_END.finditer(sentence):
        yield Span(start, mark.end())
        start = mark.end()
    yield Span(start, len(sentence))


def _reach(clauses: Sequence[Span], start: int) -> int:
    """Returns where the last clause ends that is whole within LONGEST characters; else the last word within them."""
    ends = [one.end for one in clauses if start < one.end <= start + LONGEST]
    return ends[-1] if ends else start + LONGEST


def _pick_different(quotes: Iterator[Quote]) -> list[Quote]:
    picked: list[Quote] = []
    left = MAX_CHARACTERS
    for one in quotes:
        if len(one.text) <= left and not any(_is_same(one, other) for other in picked):
            picked.append(one)
            left -= len(one.text)
        if len(picked) == MAX_QUOTES:
            break
    return picked


def _is_same(one: Quote, other: Quote) -> bool:
    """Whether two quotes say nearly the same in nearly the same words, as overlapping passages do."""
    return len(one.terms & other.terms) > SAME * len(one.terms | other.terms)
