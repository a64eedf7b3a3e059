"""What the letters of a text tell about its language."""

import re
from collections import Counter

from language.folding import fold
from language.stop_words import STOP_WORDS

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Chinese
    "\u1100-\u11ff\uac00-\ud7a3"  # Korean, whose blanks do not part a noun from its particles
)
"""Scripts whose words no blank parts, as a regular expression's character class."""

# Each with the languages written in it, the likeliest first. Whatever is not here counts as Latin.
_SCRIPTS = {
    "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc": ("fa", "ar", "ur"),
    "\u0400-\u052f": ("ru", "uk", "bg", "sr"),
    "\u0370-\u03ff\u1f00-\u1fff": ("el",),
    "\u0590-\u05ff": ("he",),
    "\u0530-\u058f": ("hy",),
    "\u0900-\u097f": ("hi", "ne", "mr"),
    "\u0b80-\u0bff": ("ta",),
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff": ("ja",),
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f": ("zh", "ja"),
    "\u1100-\u11ff\uac00-\ud7a3": ("ko",),
    "\u0e01-\u0e4e": ("th",),
}
_MATCHERS = tuple((re.compile(f"[{letters}]"), languages) for letters, languages in _SCRIPTS.items())
_LATIN = ("en", "de", "es", "fr", "it", "nl", "pt")
_LETTERS = re.compile(r"[^\W\d_]+")
# Letters that one of two languages writes and the other does not.
_PERSIAN, _ARABIC = re.compile("[پچژگکی]"), re.compile("[ةىكيإأؤ]")
_SAMPLE = 2_000


def choose_language(character: str, language: str) -> str:
    """Returns the language a word that begins so is read in: the text's own, where that is written in such letters.

    So the English names in a Persian text are read as English.
    """
    for matcher, languages in _MATCHERS:
        if matcher.match(character):
            return language if language in languages else languages[0]
    foreign = any(language in languages for _, languages in _MATCHERS)
    return "en" if foreign or not language else language


def guess_language(text: str) -> str:
    """Returns the ISO 639-1 code of the likeliest language of a short text by its letters and stop words.

    It costs microseconds and needs no model; where nothing tells, it is "en". detection has the thorough way.
    """
    sample = text[:_SAMPLE]
    letters = sum(map(len, _LETTERS.findall(sample)))
    for matcher, languages in _MATCHERS if not sample.isascii() else ():
        # Kana tell Japanese, though most of its letters may be Chinese.
        if len(matcher.findall(sample)) > letters * (0.1 if languages == ("ja",) else 0.4):
            return tell_arabic_script(sample) or "fa" if "fa" in languages else languages[0]
    words = Counter(_LETTERS.findall(fold(sample)))
    return max(_LATIN, key=lambda language: sum(count for word, count in words.items() if word in STOP_WORDS[language]))


def tell_arabic_script(sample: str) -> str:
    """Returns "fa" or "ar" by the letters that only one of them writes; "" where they do not tell."""
    persian, arabic = len(_PERSIAN.findall(sample)), len(_ARABIC.findall(sample))
    return "fa" if persian > 2 * arabic else "ar" if arabic > 2 * persian else ""
