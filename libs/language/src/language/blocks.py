"""Blocks: what stands on lines of its own within a paragraph, as headings and list items of a PDF's text do."""

import re
from collections.abc import Iterator
from itertools import pairwise

from language.spans import Span, trim

_BULLET = re.compile(r"\s{0,40}(?:[•▪◦‣*–—-]|\d{1,2}[.)]|#{1,6})\s")
_GOES_ON = (",", "-", "‐", "،", "、", "，", ";")
_SHORT = 0.6  # of the usual line


def block_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yields the blocks of the paragraph text[start:end], trimmed: it is cut after headings and before list items."""
    lines = list(_lines(text, start, end))
    usual = sorted(line.end - line.start for line in lines)[len(lines) // 2] if lines else 0
    begin = start
    for line, following in pairwise(lines):
        if _breaks(text, line, following, usual):
            yield from trim(text, begin, line.end)
            begin = following.start
    yield from trim(text, begin, end)


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield from trim(text, start, stop)
        start = stop + 1


def _breaks(text: str, line: Span, following: Span, usual: int) -> bool:
    if text[line.start] == "#" or _BULLET.match(text, following.start):
        return True
    is_short = line.end - line.start < _SHORT * usual
    return is_short and text[line.end - 1] not in _GOES_ON and not text[following.start].islower()
