"""What a question asks for, as far as its words tell, and what a sentence that answers it looks like."""

import re
from collections.abc import Sequence
from enum import Enum
from itertools import islice, takewhile

from chat.turn.words import GENERIC_TERMS, find_terms, find_words, fold, is_stop_word, stem

NAME = r"[A-Z][\w.'’-]*[a-z](?:\s+(?:[A-Z]\.|of|the|de|van|von|[A-Z][\w'’-]+))*\s+[A-Z][\w'’-]*[a-z]"
PERSON = re.compile(rf"\b{NAME}|\b(?:Mr|Mrs|Ms|Dr|Prof|Justice|President|Judge)\.?\s+[A-Z]")
DATE = re.compile(
    r"\b(?:1[0-9]|20)\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December)\b|\b\d+(?:st|nd|rd|th) century|[۰-۹]{4}|سال",
)
NUMBER_WORD = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|dozens?|hundreds?|thousands?|millions?|billions?|half|percent|"
    r"دو|سه|چهار|پنج|شش|هفت|هشت|نه|ده|یازده|دوازده|سیزده|بیست|سی|چهل|پنجاه|صد|هزار|میلیون)"
)
COUNT = re.compile(rf"\d|\b{NUMBER_WORD}\b", re.IGNORECASE)
# A word that counts what follows it: "T45 lines" counts nothing, "45 lines" does.
COUNTING = re.compile(rf"\d+(?:\w{{1,2}})?|{NUMBER_WORD}|one|single|zero|several|couple")
BARE_COUNTS = frozenset({"no", "both", "few"})
PARTITIVE = frozenset({"of", "the", "these", "its", "our"})
CLAUSE_END = re.compile(r"[:;!?—]|\bper\b|\.\s|\s[-–]\s")
ASIDE = re.compile(r"\([^()]*\)")
TOTAL = frozenset({"number", "total", "count", "تعداد", "شمار"})
COUNTED = re.compile(r"how\s+many\s+(\w+)(?:\s+(\w+))?|چند\s+(?:تا\s+|عدد\s+)?(\w+)")
REACH = 6  # words from a number to what it counts
PLACE = re.compile(r"\b(?:in|at|from|near|to)\s+(?:the\s+)?[A-Z][a-z]+|\bدر\s+\w+")
REASON = re.compile(
    r"\b(?:because|since|due to|so that|in order to|therefore|reason|thus)\b|زیرا|چون|به دلیل|تا بتوان", re.I
)
DECIDER = re.compile(r"\b(?:what|how)\s+did\s+(.+?)\s+(?:decide|rule|hold)\b", re.IGNORECASE)
DECISION_VERBS = frozenset(
    ("held", "decided", "ruled", "upheld", "reject", "rejected", "affirmed", "reversed", "overturned", "struck")
)
DEFINES = (
    r"(?:\s+\([^)]*\))?,?\s+(?:(?:is|are|was|were)\s+(?:(?:plainly|simply|just|also|thus)\s+)?(?:(?:an?|the|one|any|those)\b|[\"“‘«])|means?\b|"
    r"refers?\s+to\b|consists?\s+of\b|denotes?\b|represents?\b|describes?\b|can\s+be\s+(?:defined|seen)\b|is\s+called\b)"
)
DESCRIBES = r",?\s+(?:is|are|was|were)\b"
NAMES = (
    r"\b(?:(?:called|termed|named|known\s+as|defined?\s+(?:\w+\s+){0,2}as|calls?\s+(?:this|these|such|it|them|that)"
    r"(?:\s+(?!as\b|an?\b)\w+){0,3})\s+|(?:we|i|they|lawyers|people)\s+(?:\w+\s+)?call\s+(?:(?!as\b|an?\b)[\w-]+\s+){0,6}?)(?:an?\s+|the\s+)?[\"'“‘]?"
)
# "We call these guard instructions" does not say what a guard is.
NAMED = r"[\"'”’]?(?:\s*[.,;:()—–]|\s*$|\s+(?:and|or|because|since|when|if|as)\b)"
NO_PREPOSITION = r"(?!(?:of|in|on|for|to|with|from|by|at|about|as|than|against|through|between|under)\b)"
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
    r"^(?:an?|the)\s+(?:[\w-]+\s+){0,4}[\w-]+,\s+%s,",
    r"\w\s+\([\"'“‘]?%s[\"'”’]?[,)]",
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
    aside = r"^(?:[^,]{1,40},\s+)?\W*"
    opens = rf"{aside}(?:an?\s+|the\s+)?[\"'“‘«]?{name}[\"'”’»]?"
    if any(re.search(form, text) for form in (opens + DEFINES, NAMES + name + NAMED, opens + PERSIAN_DEFINES)):
        return 1.0
    # "The entry type map is ..." defines a longer term, which only hints at what a type map is.
    longer = rf"{aside}(?:{NO_PREPOSITION}\w+\W+){{0,3}}?{name}[\"'”’»]?"
    is_hint = re.search(longer + DESCRIBES, text) or any(re.search(hint % name, text) for hint in HINTS)
    return 0.5 if is_hint else 0.0


def find_decider(question: str) -> str:
    """Returns the stem of who decided, for "What did the Supreme Court decide?"; empty for any other question."""
    found = DECIDER.search(question)
    return stem(find_words(found.group(1))[-1]) if found else ""


def tells_decision(decider: str, sentence: str) -> bool:
    """Whether a sentence says that the decider held, ruled, rejected, ..."""
    words = find_words(sentence)
    return any(
        stem(word) == decider and not DECISION_VERBS.isdisjoint(words[index : index + REACH])
        for index, word in enumerate(words)
    )


def find_counted(question: str) -> frozenset[str]:
    """Returns the stems of what "how many" asks to count; empty for any other question."""
    found = COUNTED.search(fold(question))
    words = [word for word in found.groups() if word and not is_stop_word(word)] if found else []
    return frozenset(map(stem, words))


def counts_thing(counted: frozenset[str], sentence: str) -> bool:
    """Whether a sentence says how many: a number in front of one of the stems, or the "number of" them."""
    return any(_counts_within(counted, find_words(clause)) for clause in CLAUSE_END.split(ASIDE.sub(" ", sentence)))


def counts_under_another_name(question: str, sentence: str) -> bool:
    """Whether a sentence counts something of all else that the question is about: "SunSpider has 26 programs".

    One that names what is to be counted, and does not count it, answers nothing.
    """
    counted, words = find_counted(question), find_words(ASIDE.sub(" ", sentence))
    about, stems = set(find_terms(question)) - counted, [stem(word) for word in words]
    if not counted.isdisjoint(stems) or not about.issubset(stems):
        return False
    return any(
        not about.isdisjoint(stems[max(0, index - REACH) : index]) and _counts_plural(words[index : index + REACH])
        for index in range(len(words))
    )


def _counts_plural(words: Sequence[str]) -> bool:
    following = takewhile(lambda one: not is_stop_word(one), words[1:])
    return COUNTING.fullmatch(words[0]) is not None and any(word.endswith("s") for word in following)


def _counts_within(counted: frozenset[str], words: Sequence[str]) -> bool:
    for index, word in enumerate(words):
        if stem(word) not in counted:
            continue
        if not TOTAL.isdisjoint(words[max(0, index - 3) : index]) and any(
            one[0].isdigit() for one in words[index + 1 : index + 4]
        ):
            return True
        # What stands between a number and what it counts describes it: "26 short programs", not "4, the line".
        between = takewhile(lambda one: one in PARTITIVE or not is_stop_word(one), reversed(words[:index]))
        if any(map(COUNTING.fullmatch, islice(between, REACH))) or (index and words[index - 1] in BARE_COUNTS):
            return True
    return False


def find_question_terms(question: str) -> dict[str, float]:
    """Returns the stems of what a question is about with their weight.

    Names and numbers weigh more, since without them nothing is answered; words such as "explain" weigh little.
    """
    names = {stem(fold(word)) for word in re.findall(r"(?<!^)(?<=\s)[\"“]?([A-Z][\w’']*|\d+)", question)}
    return {
        term: 0.25 if term in GENERIC_TERMS else 1.5 if term in names and term.isascii() else 1.0
        for term in find_terms(question)
    }
