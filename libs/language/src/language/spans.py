"""Parts of a text, by their place."""

from collections.abc import Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Part [start, end) of a text, in code points."""

    start: int
    end: int


def trim(text: str, start: int, end: int) -> Iterator[Span]:
    """Yields text[start:end] without the white space around it, or nothing if it is blank."""
    # Slices are cut out once, so that trimming a long stretch costs no more than reading it.
    piece = text[start:end]
    kept = piece.strip()
    if kept:
        begin = start + len(piece) - len(piece.lstrip())
        yield Span(begin, begin + len(kept))
