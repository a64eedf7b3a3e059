"""What a question asks for, as far as its words tell, and what a sentence that answers it looks like."""

import re
from enum import Enum

from chat.turn.words import GENERIC_TERMS, find_terms, find_words, fold, stem

NAME = r"[A-Z][\w.'’-]*[a-z](?:\s+(?:[A-Z]\.|of|the|de|van|von|[A-Z][\w'’-]+))*\s+[A-Z][\w'’-]*[a-z]"
PERSON = re.compile(rf"\b{NAME}|\b(?:Mr|Mrs|Ms|Dr|Prof|Justice|President|Judge)\.?\s+[A-Z]")
DATE = re.compile(
    r"\b(?:1[0-9]|20)\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December)\b|\b\d+(?:st|nd|rd|th) century|[۰-۹]{4}|سال",
)
COUNT = re.compile(
    r"\d|[۰-۹]|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|billion|half|percent)\b",
    re.IGNORECASE,
)
PLACE = re.compile(r"\b(?:in|at|from|near|to)\s+(?:the\s+)?[A-Z][a-z]+|\bدر\s+\w+")
REASON = re.compile(
    r"\b(?:because|since|due to|so that|in order to|therefore|reason|thus)\b|زیرا|چون|به دلیل|تا بتوان", re.I
)
DEFINES = (
    r"(?:\s+\([^)]*\))?,?\s+(?:(?:is|are|was|were)\s+(?:an?|the|one|any|those|plainly|simply|just|also)\b|means?\b|"
    r"refers?\s+to\b|consists?\s+of\b|denotes?\b|represents?\b|describes?\b|can\s+be\s+(?:defined|seen)\b|is\s+called\b)"
)
DESCRIBES = r",?\s+(?:is|are|was|were)\b"
NAMES = (
    r"\b(?:called|termed|named|known\s+as|defined?\s+(?:\w+\s+){0,2}as|calls?\s+(?:this|these|such|it|them|that)(?:\s+\w+){0,3})"
    r"\s+(?:an?\s+|the\s+)?[\"'“‘]?"
)
SUBJECT = re.compile(
    r"^\W*(?:what\s+(?:is|are|was|were)|what['’]s|define|what\s+does|who\s+(?:is|was|are|were))\s+"
    r"(?:meant\s+by\s+)?(?:(?:an?|the)\s+)?(.+?)(?:\s+mean)?\W*$",
    re.IGNORECASE,
)
PERSIAN_SUBJECT = re.compile(r"^\W*(?:منظور از\s+)?(.+?)\s+(?:چیست|کیست|یعنی چه|چه معنایی دارد)\W*$")
PERSIAN_DEFINES = r"[^.؟!]*?(?:است|هستند|می.?گویند|نامیده می.?شود|عبارت است از|یعنی)"
HINTS = (
    r"\ban?\s+(?:[\w-]+,?\s+){0,3}%s,?\s+(?:that|which|where|who|covering|containing|consisting|representing)\b",
    r"\ban?\s+(?:[\w-]+,?\s+){0,3}%s\W*$",
    r"\b%s,\s+(?:an?|or|one|who)\s",
)
MAX_SUBJECT = 6  # words; a longer one is a clause, not a thing to define


class QuestionType(Enum):
    """What kind of answer is asked for."""

    DEFINITION = "definition"
    PERSON = "person"
    TIME = "time"
    COUNT = "count"
    PLACE = "place"
    REASON = "reason"
    OTHER = "other"


FIRST_WORDS = (
    (QuestionType.COUNT, r"how\s+(?:many|much|long|old|large|big|fast|far)\b|چند|چقدر"),
    (
        QuestionType.PERSON,
        r"who(?:se|m)?\b|(?:by|to|from)\s+whom\b|which\s+(?:person|inventor|author)\b|چه کسی|کی(?:ست)?\b",
    ),
    (QuestionType.TIME, r"when\b|(?:in\s+)?(?:what|which)\s+(?:year|month|day|century|date)\b|چه زمانی|چه سالی|کی\b"),
    (QuestionType.PLACE, r"where\b|(?:in\s+)?(?:what|which)\s+(?:city|country|place|town|state)\b|کجا"),
    (QuestionType.REASON, r"why\b|چرا"),
)
CUES = {
    QuestionType.PERSON: PERSON,
    QuestionType.TIME: DATE,
    QuestionType.COUNT: COUNT,
    QuestionType.PLACE: PLACE,
    QuestionType.REASON: REASON,
}


def classify(question: str) -> QuestionType:
    """Returns what kind of answer a question asks for."""
    if find_subject(question):
        return QuestionType.DEFINITION
    for kind, pattern in FIRST_WORDS:
        if re.search(
            rf"(?:^|[\s,،«(]){pattern}" if kind is not QuestionType.REASON else pattern, question, re.IGNORECASE
        ):
            return kind
    return QuestionType.OTHER


def find_subject(question: str) -> str:
    """Returns what "What is X?" wants defined, folded; empty for any other question."""
    found = PERSIAN_SUBJECT.match(question) or SUBJECT.match(question)
    subject = fold(found.group(1)).strip() if found else ""
    return subject if 0 < len(find_words(subject)) <= MAX_SUBJECT else ""


def has_cue(kind: QuestionType, sentence: str) -> bool:
    """Whether a sentence holds what the kind of question asks for: a name, a date, a number."""
    cue = CUES.get(kind)
    return cue is not None and cue.search(sentence) is not None


def rate_definition(subject: str, sentence: str) -> float:
    """Returns 1 for the form of a definition ("X is ...", "we call ... X"), 0.5 for a hint of one, else 0."""
    text = " ".join(fold(sentence).split())
    # Any ending of the last word, so that a question for one tree finds the sentence about trees.
    *first, last = subject.split()
    name = r"\s+".join([*map(re.escape, first), re.escape(stem(last)) + r"\w{0,4}"])
    opens = rf"^(?:\W*\w+\W+){{0,3}}?(?:an?\s+|the\s+)?[\"'“‘«]?{name}[\"'”’»]?"
    if any(re.search(form, text) for form in (opens + DEFINES, NAMES + name, opens + PERSIAN_DEFINES)):
        return 1.0
    is_hint = re.search(opens + DESCRIBES, text) or any(re.search(hint % name, text) for hint in HINTS)
    return 0.5 if is_hint else 0.0


def counts_thing(question: str, sentence: str) -> bool:
    """Whether a sentence puts a number right before the thing that "how many" asks for."""
    found = re.search(r"how\s+many\s+(?:\w+\s+)?(\w+)|چند\s+(\w+)", fold(question))
    words = find_words(sentence)
    things = {stem(word) for word in found.group().split()[2:]} if found else set()
    return any(
        COUNT.search(word) and things & {stem(following) for following in words[index + 1 : index + 4]}
        for index, word in enumerate(words)
    )


def find_question_terms(question: str) -> dict[str, float]:
    """Returns the stems of what a question is about with their weight.

    Names and numbers weigh more, since without them nothing is answered; words such as "explain" weigh little.
    """
    names = {stem(fold(word)) for word in re.findall(r"(?<!^)(?<=\s)[\"“]?([A-Z][\w’']*|\d+)", question)}
    return {
        term: 0.25 if term in GENERIC_TERMS else 1.5 if term in names and term.isascii() else 1.0
        for term in find_terms(question)
    }
