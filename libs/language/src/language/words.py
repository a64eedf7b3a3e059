"""Words and terms: what matching compares."""

import re
from collections.abc import Iterator
from functools import lru_cache

from language.folding import fold
from language.scripts import UNSPACED, choose_language, guess_language
from language.stems import stem
from language.stop_words import STOP_WORDS

# Signs that stand on or in a word and are no letters: accents, harakat, the vowels of India, soft hyphens, joiners. A
# half-space (ZWNJ) is not among them: what it parts are words of their own.
_SIGNS = (
    "\u00ad\u200d\u2060\ufeff\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u0900-\u0903\u093a-\u0963\u0981-\u0983\u09bc-\u09d7\u0a01-\u0a4d\u0a81-\u0acd\u0b01-\u0b57\u0b82-\u0bcd"
    "\u0c00-\u0c56\u0c81-\u0cd6\u0d00-\u0d57"
)
_WORD = re.compile(rf"[{UNSPACED}]+|[^\W_{UNSPACED}](?:[^\W_{UNSPACED}]|[{_SIGNS}])*")
_FIRST_UNSPACED = UNSPACED[0]
_LONGEST = 64  # characters of a word that is remembered
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]").match
_BREAKS = {
    language: re.compile("|".join(sorted(map(re.escape, STOP_WORDS[language]), key=len, reverse=True)))
    for language in ("zh", "ja")
}


def find_words(text: str) -> list[str]:
    """Returns the folded words of a text in order; where no blanks part words, the stretches between marks."""
    return [fold(word) for word in _WORD.findall(text)]


def find_terms(text: str, language: str = "") -> list[str]:
    """Returns what of a text is compared: the stems of the words that carry meaning, in order, repeats kept.

    language is ISO 639-1; "" is guessed. Chinese, Japanese, Thai and Korean give single characters and pairs of
    neighbours: a segmenter would cut question and text differently.
    """
    spoken = language or guess_language(text)
    return [
        term
        for word in _WORD.findall(text)
        # Stretches of Chinese are too many to remember, and what is longer than words are, too long.
        for term in (_recall_word if word[0] < _FIRST_UNSPACED and len(word) <= _LONGEST else _read_word)(word, spoken)
    ]


def _read_word(word: str, language: str) -> tuple[str, ...]:
    spoken = choose_language(word[0], language)
    folded = fold(word)
    if _IS_UNSPACED(word):
        return tuple(_pair_characters(folded, spoken))
    if folded in STOP_WORDS.get(spoken, ()) or (len(folded) == 1 and not folded.isdigit()):
        return ()
    return (stem(folded, spoken),)


_recall_word = lru_cache(maxsize=50_000)(_read_word)


def _pair_characters(run: str, language: str) -> Iterator[str]:
    for piece in _BREAKS[language].split(run) if language in _BREAKS else [run]:
        yield from piece
        yield from (piece[start : start + 2] for start in range(len(piece) - 1))
