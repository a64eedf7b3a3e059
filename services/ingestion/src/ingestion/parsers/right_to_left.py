"""Puts the glyphs of a line with right-to-left words into the order in which they are read.

A PDF holds glyphs where they stand, in whatever order its program wrote them. So the line is read from where its
glyphs stand, and what Unicode's bidirectional algorithm (UAX 9) did to show it is undone.
"""

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ingestion.parsers.lines import RIGHT_TO_LEFT

BLANK = " "
JOINERS = frozenset("\u200c\u200d")
# Wider gaps are blanks that nobody wrote; ems. Behind ink alone, room that belongs to its glyph comes first.
WORD_GAP, ROOM = 0.2, 0.15
# Classes of UAX 9 as one letter each: Hebrew and Arabic letters, left-to-right ones, digits, what stands within
# and beside numbers; O for the rest.
CLASSES = {"R": "R", "AL": "A", "L": "L", "EN": "N", "AN": "N", "ES": "E", "CS": "C", "ET": "T"}
LETTERS = re.compile("[RA]")
RIGHT_TO_LEFT_RUN = re.compile("[RA](?:[^L]*[RAN])?")
BETWEEN_LETTERS = re.compile("[^RA]+")
LATIN = re.compile("[LN](?:.*[LN])?")
# After an Arabic letter a sign such as % or - is no part of a number; after any other it is (rules W2 to W5).
ARABIC_NUMBER = re.compile("N+(?:CN+)*")
NUMBER = re.compile("T*N+(?:[CE]N+)*T*")
# A mark so near to a letter may be its own; ems.
NEAR = 0.1
# Wide letters may reach over narrow ones, but not over many.
NEIGHBOURS = 4
BRACKETS = {"(": ")", "[": "]", "{": "}", "«": "»", "‹": "›"}
OPENING = {mark: opening for opening, closing in BRACKETS.items() for mark in (opening, closing)}


@dataclass(frozen=True)
class Glyph:
    """What a glyph stands for, and where along its line the pen begins and the glyph, or its ink, ends, in points."""

    text: str
    left: float
    right: float
    ends_as_ink: bool = False

    @property
    def is_mark(self) -> bool:
        """Whether it stands above or below another glyph."""
        return all(unicodedata.combining(character) for character in self.text)


def read_line(glyphs: Sequence[Glyph], size: float, *, mostly_right_to_left: bool) -> str:
    """Returns the text of a line in reading order, whatever order its glyphs come in.

    The line runs from right to left if most of its letters do, or, if it has any such, most of its page's.
    """
    shown = _add_blanks(_attach_marks(glyphs, NEAR * size), size)
    classes = "".join(_classify(glyph) for glyph in shown)
    rightwards = classes.count("L")
    leftwards = len(LETTERS.findall(classes))
    runs_leftwards = leftwards > rightwards or (mostly_right_to_left and (leftwards or not rightwards))
    if runs_leftwards:
        order = _undo_order(classes, range(len(shown)))
    else:
        order = list(range(len(shown)))
        for run in RIGHT_TO_LEFT_RUN.finditer(classes):
            order[run.start() : run.end()] = _undo_order(classes, range(*run.span()))
    texts, shapes = [shown[place].text for place in order], [classes[place] for place in order]
    return "".join(_turn_brackets(texts, shapes) if leftwards or runs_leftwards else texts)


def count_letters(text: str) -> tuple[int, int]:
    """Returns how many letters of text run from right to left, and how many the other way."""
    leftwards = sum(RIGHT_TO_LEFT.match(character) is not None for character in text)
    return leftwards, sum(character.isalpha() for character in text) - leftwards


def _attach_marks(glyphs: Iterable[Glyph], near: float) -> list[Glyph]:
    """Returns the glyphs from left to right, each mark behind the letter that it stands over or near to."""
    marks: list[Glyph] = []
    bases: list[Glyph] = []
    # Neighbours may overlap, so middles are compared; a joiner that stands where a letter begins is to the left of it.
    for glyph in sorted(glyphs, key=lambda glyph: glyph.left + glyph.right - 2 * near * (glyph.text in JOINERS)):
        (marks if glyph.is_mark else bases).append(glyph)
    letters = [place for place, base in enumerate(bases) if base.text not in {BLANK, *JOINERS}]
    if not letters:
        return bases + marks
    middles = [bases[place].left + bases[place].right for place in letters]
    for mark in marks:
        middle = bisect(middles, mark.left + mark.right)
        neighbours = letters[max(middle - NEIGHBOURS, 0) : middle + NEIGHBOURS]
        place = min(neighbours, key=lambda place: _distance(mark, bases[place], near))
        bases[place] = replace(bases[place], text=bases[place].text + mark.text)
    return bases


def _distance(mark: Glyph, base: Glyph, near: float) -> tuple[float, float]:
    centre = (mark.left + mark.right) / 2
    outside = max(base.left - centre, centre - base.right, near)
    return outside, abs(centre - (base.left + base.right) / 2)


def _add_blanks(glyphs: Sequence[Glyph], size: float) -> list[Glyph]:
    parted: list[Glyph] = []
    end = float("inf")
    for glyph in glyphs:
        if glyph.text != BLANK and glyph.left > end and parted[-1].text != BLANK:
            parted.append(Glyph(BLANK, end, glyph.left))
        parted.append(glyph)
        # A joiner has no width, and says nothing of where the letter before it ends.
        if glyph.text not in JOINERS:
            end = glyph.right + (WORD_GAP + ROOM * glyph.ends_as_ink) * size
    return parted


def _classify(glyph: Glyph) -> str:
    return CLASSES.get(unicodedata.bidirectional(glyph.text[:1] or BLANK), "O")


def _undo_order(classes: str, shown: range) -> list[int]:
    """Returns the places of a run in reading order: from its right end, but for its numbers and Latin words."""
    order = list(reversed(shown))
    letters = "".join(classes[place] for place in order)
    default = "A" if "A" in letters else "R"
    for gap in BETWEEN_LETTERS.finditer(letters):
        after_arabic = (letters[gap.start() - 1 : gap.start()] or default) == "A"
        pattern = LATIN if "L" in gap.group() else ARABIC_NUMBER if after_arabic else NUMBER
        for run in pattern.finditer(letters, *gap.span()):
            order[run.start() : run.end()] = reversed(order[run.start() : run.end()])
    return order


def _turn_brackets(texts: Sequence[str], shapes: Sequence[str]) -> list[str]:
    """Returns texts with the brackets among right-to-left words opening before and closing after what they hold.

    Whether a PDF names the bracket that was meant or its mirror image, which is what it shows, differs by program.
    """
    turned = list(texts)
    is_open: dict[str, bool] = {}
    for place, text in enumerate(texts):
        kind = OPENING.get(text[:1])
        if kind is None or _among_latin(shapes, place):
            continue
        before = place > 0 and texts[place - 1][0].isalnum()
        after = place + 1 < len(texts) and texts[place + 1][0].isalnum()
        opens = after if before != after else not is_open.get(kind, False)
        is_open[kind] = opens
        turned[place] = (kind if opens else BRACKETS[kind]) + text[1:]
    return turned


def _among_latin(shapes: Sequence[str], place: int) -> bool:
    before = [shape for shape in shapes[:place] if shape in "RAL"]
    after = [shape for shape in shapes[place:] if shape in "RAL"]
    return before[-1:] == after[:1] == ["L"]
