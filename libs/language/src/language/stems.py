"""Stems: what the forms of one word have in common."""

import re
import unicodedata
from functools import cache

import Stemmer

_ALGORITHMS = {
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
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
_FEWEST = 3
# Folded, so ی stands for ي and ى, ه for ة. Arabic: light10 (Larkey, Ballesteros and Connell 2007). Persian: after
# Dolamic and Savoy (2009), as Lucene's.
_LIGHT = {
    "ar": (("وال", "بال", "كال", "کال", "فال", "لل", "ال", "و"), ("ها", "ان", "ات", "ون", "ین", "یه", "ه", "ی")),
    "fa": ((), ("هایشان", "هایش", "هایی", "های", "ها", "ترین", "تر", "ات", "ان", "یی", "ی", "ه")),
}


def stem(word: str, language: str) -> str:
    """Returns the stem of a folded word in a language (ISO 639-1), without accents, which many leave out.

    Snowball's algorithms (Porter 2001); Arabic and Persian lose affixes by lists. A language with neither keeps its
    words as they are.
    """
    if language in _LIGHT:
        return _strip(word, *_LIGHT[language])
    algorithm = _ALGORITHMS.get(language)
    stemmed = _open_stemmer(algorithm).stemWord(word) if algorithm else word
    return stemmed if stemmed.isascii() else _strip_accents(stemmed)


@cache
def _open_stemmer(algorithm: str) -> Stemmer.Stemmer:
    # Without its own cache, since words.py has one.
    return Stemmer.Stemmer(algorithm, 0)


def _strip(word: str, prefixes: tuple[str, ...], suffixes: tuple[str, ...]) -> str:
    """Returns a word without the first prefix that it has, and without suffixes as long as three letters are left."""
    for prefix in prefixes:
        if word.startswith(prefix) and len(word) - len(prefix) >= _FEWEST:
            word = word[len(prefix) :]
            break
    for suffix in suffixes:
        if word.endswith(suffix) and len(word) - len(suffix) >= _FEWEST:
            word = word[: -len(suffix)]
    return word


def _strip_accents(word: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word)))
