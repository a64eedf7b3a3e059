"""Stems: what the forms of one word have in common."""

import re
import unicodedata
from functools import cache

import Stemmer

_ALGORITHMS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
# Of Latin, Greek and Cyrillic letters only: in Hindi, signs are vowels.
_ACCENTS = re.compile("[\u0300-\u036f]")
_ARABIC_LETTERS = str.maketrans("یک", "يك")


def stem(word: str, language: str) -> str:
    """Returns the stem of a folded word in a language (ISO 639-1), without accents, which many leave out.

    The algorithms are Snowball's (Porter 2001). A language without one keeps its words as they are.
    """
    algorithm = _ALGORITHMS.get(language)
    if algorithm is None:
        return word
    stemmed: str = _open_stemmer(algorithm).stemWord(_spell_arabic(word) if language == "ar" else word)
    return stemmed if stemmed.isascii() else _strip_accents(stemmed)


@cache
def _open_stemmer(algorithm: str) -> Stemmer.Stemmer:
    # Without its own cache, since words.py has one.
    return Stemmer.Stemmer(algorithm, 0)


def _spell_arabic(word: str) -> str:
    """Returns a folded word as Snowball expects it: with Arabic letters, and without an "and" before the article."""
    letters = word.translate(_ARABIC_LETTERS).removeprefix("و" if word.startswith("وال") else "")
    return letters.removesuffix("ه") + "ة" if letters.endswith("ه") else letters


def _strip_accents(word: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word)))
