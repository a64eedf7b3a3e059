"""Reads the lines of a PDF with PDFium, and where and how each is set."""

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import raw as pdfium

from ingestion.parsers.lines import Line, clean_line
from ingestion.parsers.pdf_headings import OutlineItem
from ingestion.parsers.right_to_left import restore_order

# PDFium writes U+FFFE for a hyphen that it takes for the mark of a broken word, and no line break after it.
LINE = re.compile("[^\r\n\ufffe]+")
SOFT_HYPHEN = "\ufffe"
BOLD_WEIGHT = 600
BOLD_NAME = re.compile(rb"bold|black|heavy|medi(?!um)|semibold|demi", re.IGNORECASE)
MOST_BOOKMARKS = 5000


@dataclass(frozen=True)
class _Glyph:
    left: float
    right: float
    baseline: float
    size: float
    bold: bool


def read_lines(document: pypdfium2.PdfDocument, page_index: int) -> list[Line]:
    """Returns the clean lines of one page in PDFium's reading order."""
    page = document[page_index]
    try:
        text_page = page.get_textpage()
        try:
            return list(_split_lines(text_page))
        finally:
            text_page.close()
    finally:
        page.close()


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


def _split_lines(text_page: pypdfium2.PdfTextPage) -> Iterator[Line]:
    text = text_page.get_text_range()
    # PDFium counts UTF-16 units; they differ from characters only on pages with rare ones.
    wide = len(text) != len(text.encode("utf-16-le", "surrogatepass")) // 2
    for match in LINE.finditer(text):
        content = match.group()
        start = match.start() + len(content) - len(content.lstrip())
        end = match.end() - (len(content) - len(content.rstrip())) - 1
        if end < start:
            continue
        first, last = (_unit(text, place, wide=wide) for place in (start, end))
        content = restore_order(content, _find_lefts(text_page, text, match.start(), wide=wide))
        yield from _make_line(
            text_page, content, first, last, hyphen=text[match.end() : match.end() + 1] == SOFT_HYPHEN
        )


def _unit(text: str, place: int, *, wide: bool) -> int:
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2 if wide else place


def _find_lefts(text_page: pypdfium2.PdfTextPage, text: str, line_start: int, *, wide: bool) -> Callable[[int], float]:
    """Returns what tells where the glyph of a character of a line begins, in points."""
    return lambda place: _measure(text_page, _unit(text, line_start + place, wide=wide)).left


def _make_line(
    text_page: pypdfium2.PdfTextPage, content: str, first: int, last: int, *, hyphen: bool
) -> Iterator[Line]:
    start, end = _measure(text_page, first), _measure(text_page, last)
    line = clean_line(
        Line(
            text=content,
            left=min(start.left, end.left),
            right=max(start.right, end.right),
            baseline=start.baseline,
            size=max(start.size, end.size),
            bold=start.bold and end.bold,
            hyphen=hyphen,
        )
    )
    if line.text:
        yield line


def _measure(text_page: pypdfium2.PdfTextPage, index: int) -> _Glyph:
    left, right, low, high, x, y = (ctypes.c_double() for _ in range(6))
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetCharBox(text_page, index, left, right, low, high)
    pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
    pdfium.FPDFText_GetFontInfo(text_page, index, name, 128, flags)
    # The nominal size is often 1, scaled by the text matrix; the height of a capital never lies as much.
    size = pdfium.FPDFText_GetFontSize(text_page, index)
    bold = pdfium.FPDFText_GetFontWeight(text_page, index) >= BOLD_WEIGHT or bool(BOLD_NAME.search(name.value))
    return _Glyph(left.value, right.value, y.value, size, bold)
