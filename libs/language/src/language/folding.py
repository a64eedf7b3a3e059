"""Folding: one spelling for what readers do not tell apart."""

import unicodedata

# Arabic and Persian letters of one shape. Qdrant's terms are made from these, too (fold_letters).
LETTERS = {"ي": "ی", "ى": "ی", "ك": "ک", "ۀ": "ه", "ة": "ه", "ـ": None}
# Alefs, and the Russian letter that most texts write without its dots.
_PLAINER = dict.fromkeys("أإٱ", "ا") | {"ё": "е", "Ё": "е"}
_INVISIBLE = dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_HARAKAT = dict.fromkeys(map(chr, (*range(0x64B, 0x660), 0x670)))
_DIGITS = {sign: str(unicodedata.decimal(sign)) for sign in map(chr, range(0x80, 0x20000)) if sign.isdecimal()}
_INDEX_LETTERS = str.maketrans(LETTERS | {"\u200c": " ", "\u200d": None})
_ALL = str.maketrans(LETTERS | _PLAINER | _INVISIBLE | _HARAKAT | _DIGITS)


def fold(text: str) -> str:
    """Returns text without what readers do not see.

    That is case, compatibility forms such as ligatures (NFKC), Arabic and Persian letters of one shape, short vowels,
    joiners, ё, and which script digits are in. Accents and umlauts stay: stems fold them, where the language is known.
    """
    if text.isascii():  # the same, ten times as fast
        return text.lower()
    return unicodedata.normalize("NFKC", text).translate(_ALL).casefold()


def fold_letters(text: str) -> str:
    """Returns text as the index's terms are made from: NFKC, letters of one shape, a blank for the half-space.

    A change here makes other terms: it needs a new index generation.
    """
    return unicodedata.normalize("NFKC", text).translate(_INDEX_LETTERS)
