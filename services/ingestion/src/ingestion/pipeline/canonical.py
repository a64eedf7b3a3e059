"""The canonical form of text: what every offset of a document version counts in."""

import re
import unicodedata

NEWLINES = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls, surrogates, noncharacters, soft hyphens, byte-order marks and the bidirectional overrides
# that would let a quote reorder the answer around it. Joiners stay: Persian spelling needs them.
UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff\ufff9-\ufffb\ud800-\udfff]"
)
WORD_CHARACTER = re.compile(r"[^\W_]")


def canonicalise(text: str) -> str:
    r"""Returns text in NFC with ``\n`` newlines and no control characters; tabs stay."""
    return unicodedata.normalize("NFC", UNWANTED.sub("", NEWLINES.sub("\n", text)))


def has_words(text: str) -> bool:
    """Tells whether text holds a letter or digit of any script."""
    return WORD_CHARACTER.search(text) is not None
