"""Looking words up in a canonical text: as they are, or but for what readers do not see."""

import re
from dataclasses import dataclass

from chat.model import Check
from language.folding import fold
from language.spans import Span

DASHES = frozenset("-‐‑‒–—―−")
QUOTES = frozenset("\"'`´‘’‚‛“”„‟«»‹›<>")  # "<<" is how « is typed, and ‹ what a prompt shows for some "<"
BRACKETS = str.maketrans("[]{}", "()()")
EDGES = re.compile(r"^[\s.…,;:]+|[\s.…,;:]+$")
NO_LETTERS = re.compile(r"[^A-Za-z0-9]+")
MIN_LENGTH = 3  # characters; less proves nothing


@dataclass(frozen=True)
class Finding:
    """Where a quote stands in a text, and how exactly."""

    span: Span
    check: Check


@dataclass(frozen=True)
class FoldedText:
    """A text without case, white space runs, quotation marks and hyphens; origins[i] is where character i came from."""

    text: str
    origins: tuple[int, ...]


def find_quote(quote: str, canonical: str) -> Finding | None:
    """Returns the first place of a quote as whole words, the exact one if there is any."""
    wanted = quote.strip()
    if len(wanted) < MIN_LENGTH:
        return None
    if (start := find_whole(wanted, canonical)) >= 0:
        return Finding(Span(start, start + len(wanted)), Check.EXACT)
    if cannot_hold(canonical, wanted):
        return None
    folded, needle = fold_text(canonical), fold_text(EDGES.sub("", wanted)).text.strip()
    start = find_whole(needle, folded.text) if len(needle) >= MIN_LENGTH else -1
    if start < 0:
        return None
    first, last = folded.origins[start], folded.origins[start + len(needle) - 1]
    return Finding(Span(first, last + 1), Check.NORMALISED)


def cannot_hold(canonical: str, wanted: str) -> bool:
    """Whether a text lacks the letters and digits of a quote in their order: folding it would find nothing.

    Told for ASCII only, and so for most claims in a model's own words, at a twentieth of the cost.
    """
    if not (canonical.isascii() and wanted.isascii()):
        return False
    return NO_LETTERS.sub("", wanted).lower() not in NO_LETTERS.sub("", canonical).lower()


def find_whole(needle: str, text: str) -> int:
    """Returns where a needle first stands without cutting a word, or -1."""
    start = text.find(needle)
    while start >= 0:
        if not _cuts(text, start) and not _cuts(text, start + len(needle)):
            return start
        start = text.find(needle, start + 1)
    return -1


def _cuts(text: str, position: int) -> bool:
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


def fold_text(text: str) -> FoldedText:
    """Returns a text as NORMALISED matching compares it."""
    characters: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(text):
        for folded in _fold_character(text, index, character):
            if folded == " " and (not characters or characters[-1] == " "):
                continue
            characters.append(folded)
            origins.append(index)
    return FoldedText("".join(characters), tuple(origins))


def _fold_character(text: str, index: int, character: str) -> str:
    if character in QUOTES:
        return ""
    if character in DASHES:
        return "-" if _is_minus(text, index) else ""
    if character.isspace():
        # A word that a line's end divides is one word again.
        divided = index > 0 and _last_ink(text, index) in DASHES and "\n" in text[_ink_end(text, index) : index + 2]
        return "" if divided else " "
    if character.isdecimal():
        return str(int(character))
    return fold(character).translate(BRACKETS)


def _is_minus(text: str, index: int) -> bool:
    before = text[index - 1] if index else " "
    return text[index + 1 : index + 2].isdigit() and not before.isalnum()


def _ink_end(text: str, index: int) -> int:
    while index > 0 and text[index - 1].isspace():
        index -= 1
    return index


def _last_ink(text: str, index: int) -> str:
    end = _ink_end(text, index)
    return text[end - 1] if end else ""
