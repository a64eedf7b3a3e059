"""Highlights: the sentences of each hit that hold most of what a query asks for."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from language.spans import Span
from language.words import find_terms
from retrieval.model import Highlight, Hit
from retrieval.search.readings import Reading, join_terms, read_passage, select_long

MOST = 6  # of a hit
MOST_TERMS = 64  # of a query: the work grows with their number times that of a hit's sentences
# Where the hits have fewer sentences, as those of one short document, what is in most of them is not common yet.
FEWEST = 30
# What a term counts that stands not in a sentence but above or just before it, where its subject often is.
CONTEXT = 0.6
# What its letters count where only a part stands there, as of German compounds and verbs: one of the two words begins
# or ends the other, or they begin alike.
PART = 0.8
SHORTEST = 4  # letters of a term of the query
ALIKE = 0.75  # of a term of the query
# What is left of the score of what hardly answers: a heading, a question.
WEAK = 0.5
# A question's subject and its verb often stand in different sentences.
WINDOW = 3  # sentences
# Words speak for a passage by the share of the query that they cover times their letters, so that one rare long word
# does, and one short word of many does not; those of its subject, which titles name or sentences repeat, count twice.
# With so many letters they make half of a certainty.
HALF = 3.0
# What words add to a cosine.
WORDS_WORTH = 0.5


@dataclass(frozen=True)
class Sentence:
    """A sentence of a hit with those of the query's terms that it holds: 1 each, or less where only a part."""

    span: Span
    held: Mapping[str, float]
    known: Mapping[str, float]  # held, or by its context
    above: Mapping[str, float]  # in the title and the headings
    states: bool  # and is no heading and no question


def highlight(query: str, hits: Sequence[Hit], *, by_meaning: bool = False) -> list[Hit]:
    """Returns the hits in their order, each with at most six of its sentences, best first, and its relevance.

    A score is the share of the query's weight that a sentence covers, from 0 to 1. A term weighs its inverse
    frequency among all sentences of the hits. What stands only in the sentence before, a heading or the title counts
    for CONTEXT, a part of a word by its letters; what hardly answers keeps half. Sentence and query are stemmed in
    the language of the hit's document. by_meaning says that a hit's similarity tells whether it is about the query.
    """
    readings = [read_passage(hit.version, hit.chunk) for hit in hits]
    languages = [reading.language for reading in readings]
    wanted = {language: _find_wanted(query, language) for language in languages}
    read = [_compare(reading, wanted[reading.language]) for reading in readings]
    counts = Counter(term for sentences in read for one in sentences for term in one.held if one.held[term] == 1)
    total = max(FEWEST, sum(map(len, read)))
    weights = {
        language: {term: _weigh(total, counts[term]) for term in sorted(terms)} for language, terms in wanted.items()
    }
    return [
        replace(
            hit,
            highlights=tuple(_choose(hit, sentences, weights[language])),
            relevance=_judge(hit, sentences, weights[language], by_meaning=by_meaning),
        )
        for hit, sentences, language in zip(hits, read, languages, strict=True)
    ]


def _find_wanted(query: str, language: str) -> frozenset[str]:
    return frozenset(islice(dict.fromkeys(find_terms(query, language)), MOST_TERMS))


def _compare(reading: Reading, wanted: frozenset[str]) -> list[Sentence]:
    above = _match(reading.above, wanted)
    # What is nowhere in the whole passage need not be looked for in each of its sentences.
    there = frozenset(
        one for one in wanted if f" {one} " in reading.line or _find_part(one, reading.line, reading.long)
    )
    before: Mapping[str, float] = {}
    sentences = []
    for one in reading.sentences:
        held = _match(one.terms, there)
        known = _join(held, _fade(above), _fade(before))
        sentences.append(Sentence(one.span, held, known, above, one.states))
        before = held
    return sentences


def _fade(context: Mapping[str, float]) -> dict[str, float]:
    return {term: CONTEXT * held for term, held in context.items()}


def _join(*parts: Mapping[str, float]) -> dict[str, float]:
    """Returns the most that any of the parts has of each term."""
    joined: dict[str, float] = {}
    for part in parts:
        for term, held in part.items():
            joined[term] = max(held, joined.get(term, 0.0))
    return joined


def _match(terms: Sequence[str], wanted: frozenset[str]) -> dict[str, float]:
    """Returns how much of each wanted term the terms hold, above 0: 1, or less where a part."""
    whole = dict.fromkeys(wanted.intersection(terms), 1.0)
    if len(whole) == len(wanted):
        return whole
    line, long = join_terms(terms), select_long(terms)
    return whole | {one: PART * part for one in wanted - whole.keys() if (part := _find_part(one, line, long))}


def _find_part(one: str, line: str, long: tuple[str, ...]) -> float:
    """Returns the share of a term's letters that one of the terms begins or ends with; 0 where they are few."""
    if len(one) < SHORTEST:
        return 0.0
    if f" {one}" in line or f"{one} " in line:
        return 1.0
    if one.startswith(long) or one.endswith(long):
        return max(len(term) for term in long if one.startswith(term) or one.endswith(term)) / len(one)
    start = max(SHORTEST, math.ceil(ALIKE * len(one)))
    return start / len(one) if f" {one[:start]}" in line else 0.0


def _weigh(sentences: int, holding: int) -> float:
    """Returns the inverse sentence frequency of a term (Robertson and Spärck Jones 1976, never negative)."""
    return math.log(1 + (sentences - holding + 0.5) / (holding + 0.5))


def _choose(hit: Hit, sentences: Sequence[Sentence], weights: Mapping[str, float]) -> list[Highlight]:
    scored = [(_share(one, weights), one.span) for one in sentences if one.known]
    best = sorted(scored, key=lambda pair: (-pair[0], pair[1].start))[:MOST]
    origin = hit.chunk.start_offset
    return [Highlight(origin + span.start, origin + span.end, score) for score, span in best]


def _share(one: Sentence, weights: Mapping[str, float]) -> float:
    return _cover(one.known, weights) * (1 if one.states else WEAK)


def _cover(known: Mapping[str, float], weights: Mapping[str, float]) -> float:
    # Summed in the order of the weights: that of sets differs between processes, and so would ties.
    return sum(weight * known.get(term, 0.0) for term, weight in weights.items()) / sum(weights.values())


def _judge(hit: Hit, sentences: Sequence[Sentence], weights: Mapping[str, float], *, by_meaning: bool) -> float:
    """Returns how surely a hit is about the query, from 0 to 1; sentences side by side that hold all of it are."""
    windows = [sentences[start : start + WINDOW] for start in range(len(sentences))]
    most = max((_speak(window, weights) for window in windows), default=0.0)
    if most == math.inf:
        return 1.0
    words = most / (most + HALF)
    return min(1.0, max(0.0, hit.similarity) + WORDS_WORTH * words) if by_meaning else words


def _speak(window: Sequence[Sentence], weights: Mapping[str, float]) -> float:
    """Returns the letters of the query that neighbouring sentences hold, times the share of it that they cover."""
    known = _join(*(one.known for one in window))
    if not known:
        return 0.0
    counts = Counter(term for one in window for term, held in one.held.items() if held == 1)
    if weights.keys() <= counts.keys():
        return math.inf
    subject = {term for term, count in counts.items() if count > 1 or term in window[0].above}
    letters = sum(len(term) * known.get(term, 0.0) * (2 if term in subject else 1) for term in weights)
    return letters * _cover(known, weights)
