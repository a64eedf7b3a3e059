"""condense: question and history become one search query, by rule, the same for every provider."""

import re
from collections.abc import Sequence

from chat.model import Exchange, Question
from chat.turn.word_lists import ANAPHORA
from chat.turn.words import GENERIC_TERMS, find_terms, find_words, fold, is_stop_word, stem

SHORT_QUESTION = 2  # meaning words; a question with fewer leans on the one before
MAX_CARRIED = 8  # words
MAX_QUERY = 4_000  # characters
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
POINTING = frozenset(ANAPHORA.split())
FOLLOW_UP = re.compile(r"^\s*(?:and|but|so|also|what about|how about|why|و|پس|اما|چرا)\b", re.IGNORECASE)


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
    words = find_words(question)
    terms = [term for term in find_terms(question) if term not in GENERIC_TERMS]
    points_back = any(word in POINTING for word in words)
    return points_back or len(terms) < SHORT_QUESTION or FOLLOW_UP.match(question) is not None


def carry_words(history: Sequence[Exchange], question: str) -> list[str]:
    """Returns the key words of the latest question that stands on its own feet, in their own spelling.

    Questions between it and now add theirs, so "And who found it?" twice in a row does not lose the subject.
    """
    present = set(find_terms(question))
    carried: dict[str, str] = {}
    for exchange in reversed(history):
        for word in WORD.findall(exchange.question):
            key = stem(fold(word))
            if not is_stop_word(fold(word)) and key not in GENERIC_TERMS and key not in present:
                carried.setdefault(key, word)
        if carried and not leans_on_history(exchange.question):
            break
    return list(carried.values())[:MAX_CARRIED]
