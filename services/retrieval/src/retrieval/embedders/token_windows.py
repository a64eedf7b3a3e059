"""Cuts a long sequence of word-pieces into windows that a model can take."""

import math
from collections.abc import Sequence

SENTENCE_ENDS = frozenset(".!?؟。！？…")
CONTINUATION = "##"


def split_windows(tokens: Sequence[str], limit: int) -> list[range]:
    """Returns consecutive ranges that together cover tokens, each of at most limit.

    There are as few windows as fit, of nearly equal length, cut after a sentence or
    else between words where there is a choice. No tokens give one empty range.
    """
    windows: list[range] = []
    start = 0
    while len(tokens) - start > limit:
        end = _choose_cut(tokens, start, limit)
        windows.append(range(start, end))
        start = end
    return [*windows, range(start, len(tokens))]


def _choose_cut(tokens: Sequence[str], start: int, limit: int) -> int:
    left = len(tokens) - start
    count = math.ceil(left / limit)
    even = start + math.ceil(left / count)
    # A cut before this one would need another window; one a quarter short of even would be lopsided.
    first = max(start + left - limit * (count - 1), even - (even - start) // 4)
    cuts = sorted(range(first, start + limit + 1), key=lambda cut: abs(cut - even))
    return next((cut for cut in cuts if tokens[cut - 1] in SENTENCE_ENDS), None) or next(
        (cut for cut in cuts if not tokens[cut].startswith(CONTINUATION)), even
    )
