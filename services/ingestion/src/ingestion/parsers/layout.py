"""Joins the lines of a page into paragraphs.

A line break that only wrapping caused becomes a blank; one that somebody meant (an address, a verse,
a row of a table) stays a line break; a new paragraph starts after a blank line. Whether a line was
wrapped is decided as a typesetter would: the next line's first word would not have fitted any more.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingestion.parsers.lines import Line

WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
LAST_FRAGMENT = re.compile(r"[^\W\d_]+\Z")
FIRST_FRAGMENT = re.compile(r"[^\W\d_]+")
LIST_ITEM = re.compile(r"(?:[•◦▪‣·●■–—*-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])\s")
BULLET = re.compile(r"[•◦▪‣●■]")
# Mean width of a character in ems, over Latin text fonts.
CHARACTER_EMS = 0.5
# Ems between the two parts of a word that differ in their type.
TOUCHING = 0.1
# Characters; what is narrower is a label or a margin.
SHORTEST_COLUMN = 25


class Lexicon:
    """The words a document writes within its lines, to tell a broken word from a compound."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._words: Counter[str] = Counter()
        after_hyphen = False
        for line in lines:
            words = WORD.findall(line.text.lower())
            # Halves of broken words are no words.
            self._words.update(words[after_hyphen : len(words) - line.hyphen])
            after_hyphen = line.hyphen

    def joint(self, before: str, after: str) -> str:
        """Returns what stood between two halves of a word at a line's end: nothing, or a hyphen."""
        first, second = LAST_FRAGMENT.search(before), FIRST_FRAGMENT.match(after)
        if not first or not second:
            return "-"
        left, right = first.group().lower(), second.group().lower()
        joined, compound = self._words[left + right], self._words[f"{left}-{right}"]
        if joined or compound:
            return "" if joined >= compound else "-"
        if second.group()[0].isupper():
            return "-"
        known_halves = len(left) > 3 and len(right) > 3 and self._words[left] and self._words[right]
        return "-" if known_halves else ""


@dataclass(frozen=True)
class PageText:
    """A page's text, and for each of its lines the offset in it where the line starts."""

    text: str
    line_offsets: tuple[int, ...]


def compose_page(lines: Sequence[Line], lexicon: Lexicon) -> PageText:
    """Returns the text of a page whose lines are clean and in reading order."""
    if not lines:
        return PageText("", ())
    joints = _find_joints(lines, lexicon)
    parts, offsets, length = [lines[0].text], [0], len(lines[0].text)
    for line, joint in zip(lines[1:], joints, strict=True):
        parts += (joint, line.text)
        offsets.append(length + len(joint))
        length += len(joint) + len(line.text)
    # A hyphen after the last line belongs to a word that goes on overleaf.
    return PageText("".join(parts) + ("-" if lines[-1].hyphen else ""), tuple(offsets))


def _find_joints(lines: Sequence[Line], lexicon: Lexicon) -> list[str]:
    edges = _column_edges(lines)
    pitch = _line_pitch(lines)
    joints: list[str] = []
    for before, after, edge in zip(lines, lines[1:], edges, strict=False):
        starts_paragraph = not joints or joints[-1] == "\n\n"
        joint = _find_joint(before, after, edge, pitch, starts_paragraph=starts_paragraph)
        if before.hyphen:
            joint = lexicon.joint(before.text, after.text)
        joints.append(_keep_canonical(before.text, joint, after.text))
    return _part_list_lines(lines, joints)


def _part_list_lines(lines: Sequence[Line], joints: list[str]) -> list[str]:
    """Part the longest lines of lists and tables, which look as if they had been wrapped."""
    parted = list(joints)
    for index in range(1, len(joints)):
        before, after = joints[index - 1], joints[index + 1] if index + 1 < len(joints) else "\n"
        listed = before == "\n" and after != " " and not lines[index + 1].text[:1].islower()
        if joints[index] == " " and listed and not _is_level(lines[index], lines[index + 1]):
            parted[index] = "\n"
    return parted


def _find_joint(before: Line, after: Line, edge: float, pitch: float, *, starts_paragraph: bool) -> str:
    size = max(before.size, after.size)
    drop = before.baseline - after.baseline
    if _is_level(before, after) and after.left > before.left:
        return "" if abs(after.left - before.right) < TOUCHING * size else " "
    if before.turn != after.turn or before.bold != after.bold or abs(before.size - after.size) > 0.12 * size:
        return "\n\n"
    if LIST_ITEM.match(after.text) and (before.ends_sentence or _is_short(before, after, edge) or _is_bullet(after)):
        return "\n"
    if before.ends_sentence and _is_new_paragraph(before, after, edge, drop, starts_paragraph=starts_paragraph):
        return "\n\n"
    if drop > max(1.4 * pitch, 1.4 * size) or (drop <= 0 and not _goes_on_above(before, after)):
        return "\n\n"
    return "\n" if drop > 0 and _is_short(before, after, edge) else " "


def _is_level(before: Line, after: Line) -> bool:
    """Tells whether two pieces stand on one line, one of them perhaps as an index or exponent."""
    return before.turn == after.turn and abs(before.baseline - after.baseline) < 0.5 * max(before.size, after.size)


def _goes_on_above(before: Line, after: Line) -> bool:
    """Tells whether a line higher up is where a column of running text goes on."""
    wide = len(before.text) > SHORTEST_COLUMN and len(after.text) > SHORTEST_COLUMN
    return after.text[:1].islower() or (wide and after.text[:1].isalpha())


def _is_new_paragraph(before: Line, after: Line, edge: float, drop: float, *, starts_paragraph: bool) -> bool:
    em = max(before.size, after.size)
    if drop <= 0:
        return after.text[:1].isupper() and _is_short(before, after, edge)
    indented = after.left - before.left > 0.7 * em
    outdented = before.left - after.left > 0.7 * em and not starts_paragraph
    return indented or outdented or _is_short(before, after, edge)


def _is_short(before: Line, after: Line, edge: float) -> bool:
    first_word = after.text.split(" ", 1)[0]
    return before.right + (len(first_word) + 1) * CHARACTER_EMS * before.size < edge - 0.5 * before.size


def _is_bullet(line: Line) -> bool:
    return BULLET.match(line.text) is not None


def _column_edges(lines: Sequence[Line]) -> list[float]:
    """Returns for each line how far right the lines of its column reach."""
    edges: list[float] = []
    column: list[Line] = []
    for line in lines:
        if column and not _in_same_column(column[-1], line):
            edges += [max(member.right for member in column)] * len(column)
            column = []
        column.append(line)
    return edges + [max(member.right for member in column)] * len(column)


def _in_same_column(before: Line, after: Line) -> bool:
    if before.turn != after.turn or after.baseline > before.baseline + before.size:
        return False
    if abs(after.size - before.size) > 0.12 * before.size:
        return False
    centred = abs(after.left + after.right - before.left - before.right) < 2 * before.size
    return centred or abs(after.left - before.left) < 4 * before.size


def _line_pitch(lines: Sequence[Line]) -> float:
    drops = [a.baseline - b.baseline for a, b in pairwise(lines)]
    falls = [drop for drop, line in zip(drops, lines, strict=False) if drop > 0.5 * line.size]
    return median(falls) if falls else 0.0


def _keep_canonical(before: str, joint: str, after: str) -> str:
    """Returns joint, or a blank where touching characters would compose and shift every offset."""
    seam = before[-1:] + joint + after[:1]
    return joint if unicodedata.is_normalized("NFC", seam) else " "
