"""Reads the lines of a PDF with PDFium, and where and how each is set."""

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import PdfMatrix
from pypdfium2 import raw as pdfium

from ingestion.parsers.lines import RIGHT_TO_LEFT, Line, clean_line
from ingestion.parsers.pdf_headings import OutlineItem
from ingestion.parsers.pdfium_glyphs import GlyphLine, read_glyph_lines
from ingestion.parsers.right_to_left import count_letters, read_line
from ingestion.parsers.unmapped import UnmappedText

# PDFium writes U+FFFE for a hyphen that it takes for the mark of a broken word, and no line break after it.
LINE = re.compile("[^\r\n\ufffe]+")
SOFT_HYPHEN = "\ufffe"
BOLD_WEIGHT = 600
BOLD_NAME = re.compile(rb"bold|black|heavy|medi(?!um)|semibold|demi", re.IGNORECASE)
MOST_BOOKMARKS = 5000


@dataclass(frozen=True)
class PageLines:
    """The clean lines of a page in PDFium's reading order, and whether much of it is in letters nobody can name."""

    lines: list[Line]
    is_unmapped: bool = False


class _Glyph(NamedTuple):
    left: float
    right: float
    baseline: float
    size: float
    turn: int


def read_lines(page: pypdfium2.PdfPage) -> PageLines:
    """Returns what a page says."""
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        ruler = _Ruler(text_page, text)
        if RIGHT_TO_LEFT.search(text):
            leftwards, rightwards = count_letters(text)
            glyph_lines = read_glyph_lines(page, text_page)
            lines = (_compose_line(ruler, line, leftwards > rightwards) for line in glyph_lines)
            return PageLines([line for line in lines if line.text])
        unmapped = UnmappedText(text_page, text)
        return PageLines(list(_split_lines(ruler, text, unmapped)), unmapped.is_much)
    finally:
        text_page.close()


def read_outline(document: pypdfium2.PdfDocument) -> list[OutlineItem]:
    """Returns the bookmarks that lead to a page, in order."""
    items: list[OutlineItem] = []
    for bookmark in document.get_toc(max_depth=8):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        title = " ".join(bookmark.get_title().split())
        if index is not None and index >= 0 and title:
            items.append(OutlineItem(bookmark.level + 1, title, index))
        if len(items) >= MOST_BOOKMARKS:
            break
    return items


def _split_lines(ruler: "_Ruler", text: str, unmapped: UnmappedText) -> Iterator[Line]:
    for match in LINE.finditer(text):
        content = match.group()
        start = match.start() + len(content) - len(content.lstrip())
        end = match.end() - (len(content) - len(content.rstrip())) - 1
        if end < start:
            continue
        first, last = ruler.find(start), ruler.find(end)
        if unmapped.owns(first, last):
            continue
        hyphen = text[match.end() : match.end() + 1] == SOFT_HYPHEN
        line = _make_line(ruler, content, first, last, hyphen=hyphen)
        if line.text:
            yield line


def _make_line(ruler: "_Ruler", content: str, first: int, last: int, *, hyphen: bool) -> Line:
    start, end = ruler.measure(first), ruler.measure(last)
    return clean_line(
        Line(
            text=content,
            left=min(start.left, end.left),
            right=max(start.right, end.right),
            baseline=start.baseline,
            size=max(start.size, end.size),
            bold=ruler.is_bold(first) and ruler.is_bold(last),
            hyphen=hyphen,
            turn=start.turn,
        )
    )


def _compose_line(ruler: "_Ruler", line: GlyphLine, mostly_right_to_left: bool) -> Line:  # noqa: FBT001
    text = read_line(line.glyphs, line.size, mostly_right_to_left=mostly_right_to_left)
    return clean_line(
        Line(
            text=text.replace(SOFT_HYPHEN, "-"),
            left=min(glyph.left for glyph in line.glyphs),
            right=max(glyph.right for glyph in line.glyphs),
            baseline=line.baseline,
            size=line.size,
            bold=line.character >= 0 and ruler.is_bold(line.character),
            turn=line.turn,
        )
    )


class _Ruler:
    """Measures characters of a page. What PDFium writes into is made once: a page has many line ends."""

    def __init__(self, text_page: pypdfium2.PdfTextPage, text: str) -> None:
        self._raw = text_page.raw
        self._text = text
        units = _count_units(text)
        self._is_wide = units != len(text)
        self._is_shorter = units != text_page.count_chars()
        self._numbers = [ctypes.c_double() for _ in range(6)]
        self._places = [ctypes.byref(number) for number in self._numbers]
        self._matrix = pdfium.FS_MATRIX()
        self._name, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()

    def find(self, place: int) -> int:
        """Returns PDFium's index of the character at a place in the text.

        PDFium counts UTF-16 units, and characters that it leaves out of the text; pages with either are rare.
        """
        index = _count_units(self._text[:place]) if self._is_wide else place
        return int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._raw, index)) if self._is_shorter else index

    def measure(self, index: int) -> _Glyph:
        """Returns where and how large a character is set."""
        pdfium.FPDFText_GetCharBox(self._raw, index, *self._places[:4])
        pdfium.FPDFText_GetCharOrigin(self._raw, index, *self._places[4:])
        pdfium.FPDFText_GetMatrix(self._raw, index, self._matrix)
        a, b, c, d = self._matrix.a, self._matrix.b, self._matrix.c, self._matrix.d
        # The nominal size is often 1, and the matrix says how large that is.
        size = pdfium.FPDFText_GetFontSize(self._raw, index) * (math.hypot(c, d) or 1.0)
        left, right, low, high, x, y = (number.value for number in self._numbers)
        if b == 0 and a >= 0:
            return _Glyph(left, right, y, size, 0)
        turn = round(math.degrees(math.atan2(b, a))) % 360
        straight = PdfMatrix().rotate(turn)
        start, _, end, _ = straight.on_rect(left, low, right, high)
        return _Glyph(start, end, straight.on_point(x, y)[1], size, turn)

    def is_bold(self, index: int) -> bool:
        """Tells whether a character's font is bold, by its weight or by its name."""
        if pdfium.FPDFText_GetFontWeight(self._raw, index) >= BOLD_WEIGHT:
            return True
        pdfium.FPDFText_GetFontInfo(self._raw, index, self._name, 128, self._flags)
        return BOLD_NAME.search(self._name.value) is not None


def _count_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
