"""condense: question and history become one search query, by rule, the same for every provider."""

import re
from collections.abc import Sequence

from chat.model import Exchange, Question
from language.folding import fold
from language.scripts import guess_language
from language.words import find_terms, find_words

SHORT_QUESTION = 2  # meaning words; a question with fewer leans on the one before
MAX_CARRIED = 8  # words
MAX_QUERY = 4_000  # characters
WORD = re.compile(r"[^\W_]+(?:['’\u200c-][^\W_]+)*")
POINTING = frozenset(
    fold(
        "it its itself they them their theirs this that these those he him his she hers there one ones former latter "
        "er sie es ihn ihm sein seine ihr ihre dieser diese dieses diesen diesem dort davon dafür damit "
        "он она оно они его ее её их им ему ей этот эта это эти том там "
        "او آن آنها ایشان وی این اینها همان اش شان هو هي هم هذا هذه ذلك تلك هناك"
    ).split()
)
POINTS_BACK = re.compile(r"这个|那个|这里|那里|它|他们|她们|那么|それ|その|これ|彼")  # where blanks part no words
FOLLOW_UP = re.compile(
    r"^\s*(?:and|but|so|also|what about|how about|why|und|aber|auch|warum|wieso|и|а|но|почему|و|پس|اما|چرا|لكن)\b",
    re.IGNORECASE,
)
# What a question does with its subject; it says nothing of the subject.
GENERIC_TERMS = frozenset(
    term
    for words in (
        "happen say tell mean describe explain call use make work name define discuss mention talk kind type",
        "گفت می‌گوید گوید معنی یعنی تعریف توضیح",
    )
    for term in find_terms(words)
)


def condense(question: str, history: Sequence[Exchange]) -> str:
    """Returns what to search for: the question, behind the key words of the earlier question it leans on."""
    if not history or not leans_on_history(question):
        return question.strip()[:MAX_QUERY]
    carried = carry_words(history, question)
    return " ".join([*carried, question.strip()])[:MAX_QUERY]


def needs_history(question: Question) -> bool:
    """Whether what to search for can be told only from what was asked before."""
    return bool(question.conversation_id) and leans_on_history(question.text)


def leans_on_history(question: str) -> bool:
    """Whether a question cannot be understood alone: it is short, goes on, or points back."""
    points_back = POINTS_BACK.search(question) or not POINTING.isdisjoint(find_words(question))
    return bool(points_back or FOLLOW_UP.match(question) or len(_tell_subject(question)) < SHORT_QUESTION)


def _tell_subject(question: str) -> list[str]:
    return [term for term in find_terms(question) if term not in GENERIC_TERMS]


def carry_words(history: Sequence[Exchange], question: str) -> list[str]:
    """Returns the key words of the latest question that stands on its own feet, in their own spelling.

    Questions between it and now add theirs, so "And who found it?" twice in a row does not lose the subject.
    """
    present = set(find_terms(question))
    carried: dict[tuple[str, ...], str] = {}
    for exchange in reversed(history):
        language = guess_language(exchange.question)
        for word in WORD.findall(exchange.question):
            key = tuple(find_terms(word, language))
            if key and not GENERIC_TERMS.issuperset(key) and not present.issuperset(key):
                carried.setdefault(key, word)
        if carried and not leans_on_history(exchange.question):
            break
    return list(carried.values())[:MAX_CARRIED]
