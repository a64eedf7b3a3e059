"""Words as matching sees them: folded, lightly stemmed, without the ones that carry no meaning."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from chat.model import Language
from chat.turn.word_lists import ENGLISH, GENERIC
from chat.turn.word_lists import PERSIAN as PERSIAN_WORDS

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
PERSIAN = re.compile(r"[\u0600-\u06ff]")
LATIN = re.compile(r"[A-Za-z]")
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u0640"))
LETTERS = str.maketrans("يىكۀة", "ییکهه")
STOP_WORDS = frozenset(f"{ENGLISH} {PERSIAN_WORDS}".split())
GENERIC_TERMS = frozenset(GENERIC.split())
VOWEL = re.compile(r"[aeiouy]")
MIN_STEM = 3
ENDINGS = (
    ("ational", "at"),
    ("ization", "iz"),
    ("isation", "iz"),
    ("fulness", "ful"),
    ("ements", ""),
    ("ations", "at"),
    ("ement", ""),
    ("ation", "at"),
    ("ments", ""),
    ("ators", "at"),
    ("ities", ""),
    ("ings", ""),
    ("ions", ""),
    ("ment", ""),
    ("ator", "at"),
    ("ness", ""),
    ("ised", "iz"),
    ("ises", "iz"),
    ("izes", "iz"),
    ("ized", "iz"),
    ("ity", ""),
    ("ing", ""),
    ("ion", ""),
    ("ors", ""),
    ("ers", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("ise", "iz"),
    ("ize", "iz"),
    ("ed", ""),
    ("es", ""),
    ("or", ""),
    ("er", ""),
    ("ly", ""),
    ("s", ""),
    ("e", ""),
)
PERSIAN_ENDINGS = ("هایی", "های", "هایش", "ها", "ترین")


def fold(text: str) -> str:
    """Returns text without differences that readers do not see: case, ligatures, Arabic letter forms, joiners."""
    if text.isascii():  # the same, ten times as fast
        return text.lower()
    return unicodedata.normalize("NFKC", text).translate(INVISIBLE).translate(LETTERS).casefold()


def detect_language(text: str) -> Language:
    """Returns PERSIAN where Arabic script prevails, else ENGLISH."""
    persian, latin = len(PERSIAN.findall(text)), len(LATIN.findall(text))
    return Language.PERSIAN if persian > latin else Language.ENGLISH


def find_words(text: str) -> list[str]:
    """Returns the folded words of a text, in order."""
    return WORD.findall(fold(text))


def is_stop_word(word: str) -> bool:
    """Whether a folded word carries no meaning of its own."""
    return word in STOP_WORDS


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Returns a folded word without its commonest endings; same stem, same idea, mostly."""
    base = word.removesuffix("'s").removesuffix("’s")
    if PERSIAN.match(base):
        return _strip_persian(base)
    for ending, replacement in ENDINGS:
        trunk = base[: len(base) - len(ending)] + replacement
        if base.endswith(ending) and len(trunk) >= MIN_STEM and VOWEL.search(trunk) and not base.endswith("ss"):
            return _undouble(trunk)
    return base


def _undouble(trunk: str) -> str:
    doubled = len(trunk) > MIN_STEM and trunk[-1] == trunk[-2] and trunk[-1] not in "aeiouls"
    return trunk[:-1] if doubled else trunk


def _strip_persian(word: str) -> str:
    for ending in PERSIAN_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            return word[: -len(ending)]
    return word


def find_terms(text: str) -> list[str]:
    """Returns the stems of the words that carry meaning, in order, repeats kept."""
    return stem_words(find_words(text))


def stem_words(words: Iterable[str]) -> list[str]:
    """Returns the stems of those folded words that carry meaning, in order, repeats kept."""
    bare = (word.removesuffix("'s").removesuffix("’s") for word in words)
    return [stem(word) for word in bare if not is_stop_word(word) and (len(word) > 1 or word.isdigit())]
