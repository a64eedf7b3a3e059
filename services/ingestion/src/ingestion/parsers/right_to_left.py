"""Puts right-to-left words that a PDF holds as they look back into the order in which they are read.

Browsers write some words of a line from left to right, glyph by glyph, and PDFium turns round only those it
recognises. Where the glyphs stand tells the two apart: a word that is in order runs from right to left.
"""

import re
from collections.abc import Callable
from itertools import groupby

# Letters, marks and punctuation of right-to-left scripts; their digits run from left to right.
WORD = re.compile("(?:(?!\\d)[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]){2,}")


def restore_order(text: str, left_of: Callable[[int], float]) -> str:
    """Returns text with its right-to-left words in reading order; `left_of` tells where a character's glyph begins."""
    return WORD.sub(lambda match: _restore_word(match, left_of), text)


def _restore_word(match: re.Match[str], left_of: Callable[[int], float]) -> str:
    if left_of(match.start()) >= left_of(match.end() - 1):
        return match.group()
    # Letters of one glyph, such as lam and alef, are in order among themselves.
    glyphs = groupby(range(match.start(), match.end()), key=left_of)
    words = ["".join(match.string[index] for index in indexes) for _, indexes in glyphs]
    return "".join(reversed(words))
