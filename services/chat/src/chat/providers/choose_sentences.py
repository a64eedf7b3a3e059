"""Choosing the sentences that answer a question: BM25 over the passages' sentences, and a sentence's form."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chat.model import Exchange, Passage
from chat.providers.question_type import (
    QuestionType,
    classify,
    counts_thing,
    counts_under_another_name,
    find_counted,
    find_decider,
    find_question_terms,
    find_subject,
    has_cue,
    rate_definition,
    tells_decision,
)
from chat.turn.condense import carry_words, leans_on_history
from chat.turn.sentences import split_sentences
from chat.turn.words import find_terms, find_words, stem_words

MAX_SENTENCES = 3
MAX_CHARACTERS = 1_200
RELATIVE_SCORE = 0.72  # of the best one's
FORM_SCORE = 0.5  # of the best one's, for a sentence of the form that is asked for
PASSAGE_COVERAGE = 0.6  # share of the question's weight that one passage must hold
SENTENCE_COVERAGE = 0.3
DECISION_COVERAGE = 0.5  # since who decides, decides many cases
LETTERS = 0.7  # share; figures and tables have fewer
SAME = 0.7  # Jaccard
K1, B = 1.2, 0.4
REFERENCE = re.compile(
    r"^\W*\[?\d{1,3}[\].]\s+[A-Z]\.|\b(?:pp?|vol)\.\s*\d|\bIn Proceedings\b|\bProc\.|\bet al\., \d{4}|https?://|"
    r"\b\d+ U\.S\.C?\. |\bv\. .*\d{4}\)|\bISBN\b|\bdoi:|^\W*(?:\d{1,3}\.\s+)?(?:See|Cf\.|Ibid|Id\.)[\s,]",
)
CAPTION = re.compile(r"^\W*(?:figure|fig\.|table|listing|algorithm|chart|شکل|جدول)\s*[\d۰-۹]", re.IGNORECASE)
CONTENTS = re.compile(r"(?:\.\s?){4,}|\d\s*$|(?:\d+(?:[–-]\d+)?,\s*){3,}")
POINTS_BACK = re.compile(
    r"^\W*(?:this|these|that|those|it|they|he|she|such|however|but|and|or|so|thus)\b", re.IGNORECASE
)
CONDITION = re.compile(r"^\W*(?:if|when|once|after|before|while|unless)\b", re.IGNORECASE)
SUPPOSES = re.compile(rf"{CONDITION.pattern}|\?[^\w?]*$", re.IGNORECASE)  # and states nothing


@dataclass(frozen=True)
class Candidate:
    """A sentence of a passage: its verbatim text, its place in reading order, its length, and what it is about."""

    passage: Passage
    text: str
    order: int
    words: int
    terms: tuple[str, ...]
    context: frozenset[str]  # terms of the sentence before and of the headings


@dataclass(frozen=True)
class Asked:
    """A question as scoring sees it."""

    text: str
    importance: dict[str, float]  # by term
    weights: dict[str, float]  # by term: importance times inverse sentence frequency
    pairs: frozenset[tuple[str, str]]
    kind: QuestionType
    subject: str
    decider: str  # stem of who decided, for "What did the court decide?"
    counted: frozenset[str]  # what "how many" asks for
    usual_terms: float  # of a sentence
    best_passage: float  # score


def choose_sentences(question: str, passages: Sequence[Passage], earlier: Sequence[str] = ()) -> list[Candidate]:
    """Returns the one to three sentences that answer best, best first; none where nothing fits.

    `earlier` are the questions before, oldest first, for questions that lean on them.
    """
    candidates = find_candidates(passages)
    asked = read_question(complete_question(question, earlier), candidates)
    if not asked.weights or not is_answerable(asked, candidates):
        return []
    scored = sorted(((score(asked, one), one) for one in candidates), key=lambda pair: (-pair[0], pair[1].order))
    fitting = [(points, one) for points, one in scored if cover(asked, (*one.terms, *one.context)) >= SENTENCE_COVERAGE]
    return pick_different(prefer_form(asked, fitting))


def complete_question(question: str, earlier: Sequence[str]) -> str:
    """Returns the question with the key words of the one it leans on."""
    if not earlier or not leans_on_history(question):
        return question
    carried = carry_words([Exchange(text, "") for text in earlier], question)
    return " ".join([question, *carried])


def find_candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Returns every sentence once, though passages overlap."""
    found: list[Candidate] = []
    seen: set[tuple[str, ...]] = set()
    for passage in passages:
        above = frozenset(term for heading in passage.heading_path for term in find_terms(heading))
        before: frozenset[str] = frozenset()
        for span in split_sentences(passage.text):
            text = passage.text[span.start : span.end]
            words = tuple(find_words(text))
            terms = tuple(stem_words(words))
            if words and words not in seen:
                seen.add(words)
                found.append(Candidate(passage, text, len(found), len(words), terms, above | before))
            before = frozenset(terms)
    return found


def read_question(question: str, candidates: Sequence[Candidate]) -> Asked:
    """Returns the question's terms weighted by their rarity among the sentences."""
    counts = Counter(term for one in candidates for term in set(one.terms))
    importance = find_question_terms(question)
    weights = {
        term: weight * math.log(1 + (len(candidates) - counts[term] + 0.5) / (counts[term] + 0.5))
        for term, weight in importance.items()
    }
    return Asked(
        text=question,
        importance=importance,
        weights=weights,
        pairs=frozenset(pairwise(find_terms(question))),
        kind=classify(question),
        subject=find_subject(question),
        decider=find_decider(question),
        counted=find_counted(question),
        usual_terms=sum(len(one.terms) for one in candidates) / (len(candidates) or 1) or 1.0,
        best_passage=max((one.passage.score for one in candidates), default=0.0) or 1.0,
    )


def cover(asked: Asked, terms: Sequence[str]) -> float:
    """Returns the share of the question's weight that terms hold, from 0 to 1.

    Rarity counts half: in passages that were found for a question its subject is the commonest word of all.
    """
    held = set(terms)
    rarest = max(asked.weights.values(), default=0.0) or 1.0
    shares = {term: asked.importance[term] + 0.5 * weight / rarest for term, weight in asked.weights.items()}
    total = sum(shares.values())
    return sum(share for term, share in shares.items() if term in held) / total if total else 0.0


def is_answerable(asked: Asked, candidates: Sequence[Candidate]) -> bool:
    """Whether any one passage is about what the question is about."""
    by_passage: dict[int, list[str]] = {}
    for one in candidates:
        by_passage.setdefault(one.passage.marker, []).extend((*one.terms, *one.context))
    return any(cover(asked, terms) >= PASSAGE_COVERAGE for terms in by_passage.values())


def score(asked: Asked, one: Candidate) -> float:
    """Returns how well a sentence answers; 0 is nothing, higher is better."""
    counts = Counter(one.terms)
    length = K1 * (1 - B + B * len(one.terms) / asked.usual_terms)
    points = sum(
        weight * counts[term] * (K1 + 1) / (counts[term] + length)
        for term, weight in asked.weights.items()
        if counts[term]
    )
    points += sum(0.35 * weight for term, weight in asked.weights.items() if not counts[term] and term in one.context)
    shared = asked.pairs & set(pairwise(one.terms))
    points += sum(0.4 * (asked.weights[first] + asked.weights[second]) for first, second in sorted(shared))
    if not points:
        return 0.0
    points *= 0.75 + 0.25 * one.passage.score / asked.best_passage
    return points * fit_kind(asked, one) * judge_form(one)


def fit_kind(asked: Asked, one: Candidate) -> float:
    """Returns a factor for holding what the kind of question asks for."""
    if asked.kind is QuestionType.DEFINITION:
        return (1.0 + 1.2 * rate_definition(asked.subject, one.text)) * (0.5 if CONDITION.match(one.text) else 1.0)
    if asked.kind is QuestionType.OTHER:
        return 1.6 if decides(asked, one) else 1.0
    if counts_thing(asked.counted, one.text):
        return 1.6
    return 1.3 if has_cue(asked.kind, one.text) else 0.85


def decides(asked: Asked, one: Candidate) -> bool:
    """Whether a sentence tells a decision, and in the case that is asked about."""
    if not asked.decider or not tells_decision(asked.decider, one.text):
        return False
    return cover(asked, (*one.terms, *one.context)) >= DECISION_COVERAGE


def judge_form(one: Candidate) -> float:
    """Returns a factor below 1 for what is no sentence: headings, references, captions, contents, fragments."""
    text, words = one.text, one.words
    factor = 1.0
    if REFERENCE.search(text):
        factor *= 0.35
    if CAPTION.match(text):
        factor *= 0.7
    if sum(map(str.isalpha, text)) < LETTERS * len("".join(text.split())):
        factor *= 0.3
    if words < 5 or (words < 12 and not text.rstrip("\"'”’») ").endswith((".", "!", "؟", "。"))):
        factor *= 0.3
    if CONTENTS.search(text) or text.rstrip().endswith("?"):
        factor *= 0.5
    if words > 70:
        factor *= 0.6
    if text[:1].islower() or not text.rstrip("\"'”’») ").endswith((".", "!", "?", "؟", ":", "。")):
        factor *= 0.75
    return factor * (0.9 if POINTS_BACK.match(text) else 1.0)


def prefer_form(asked: Asked, scored: Sequence[tuple[float, Candidate]]) -> Sequence[tuple[float, Candidate]]:
    """Returns only the sentences of the form that is asked for, where form can tell.

    Definitions stand alone where there are any. How many there are of something is told by a sentence that counts
    them, or not at all.
    """
    near = [pair for pair in scored if pair[0] >= FORM_SCORE * scored[0][0] and not SUPPOSES.search(pair[1].text)]
    if asked.counted:
        exact = [pair for pair in near if counts_thing(asked.counted, pair[1].text)]
        return exact or [pair for pair in near if counts_under_another_name(asked.text, pair[1].text)]
    if asked.decider:
        return [pair for pair in near if decides(asked, pair[1])] or scored
    return [pair for pair in near if asked.subject and rate_definition(asked.subject, pair[1].text) == 1] or scored


def pick_different(scored: Sequence[tuple[float, Candidate]]) -> list[Candidate]:
    """Returns the first ones that are near the best and say different things."""
    picked: list[Candidate] = []
    length = 0
    for points, one in scored:
        if points < RELATIVE_SCORE * scored[0][0] or points <= 0:
            continue
        if len(picked) == MAX_SENTENCES or (picked and length + len(one.text) > MAX_CHARACTERS):
            break
        if not any(is_same(one, other) for other in picked):
            picked.append(one)
            length += len(one.text)
    return picked


def is_same(one: Candidate, other: Candidate) -> bool:
    """Whether two sentences say nearly the same in nearly the same words."""
    first, second = set(one.terms), set(other.terms)
    return len(first & second) / (len(first | second) or 1) > SAME
