"""Finds text whose font does not say which letters it shows: PDFium gives the codes of its glyphs instead."""

import re

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import raw as pdfium

# Controls, private use and the replacement character; U+FFFE is PDFium's hyphen.
NO_LETTERS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
LINE_STARTS = re.compile("(?:\\A|(?<=[\r\n]))[^\r\n]")
MOST_UNMAPPED = 0.5
"""Share of a line's visible characters from which on nothing of it is worth keeping."""
MUCH = 0.3
"""Share of a page's visible characters from which on its reader should know."""
# Codes that happen to be the letters they show: fonts without a map, whose programs numbered glyphs as ASCII does.
LETTERS_BY_CHANCE = 0.6


class UnmappedText:
    """Which characters of a page stand for letters that nobody can name."""

    def __init__(self, text_page: pypdfium2.PdfTextPage, text: str) -> None:
        self._places: frozenset[int] = frozenset()
        self._visible: frozenset[int] = frozenset()
        self.is_much = False
        """Whether so much of the page is such text that its reader should know."""
        if self._is_suspicious(text_page, text):
            self._look_at(text_page)

    def owns(self, first: int, last: int) -> bool:
        """Tells whether most of what the line from one character to another shows is such text."""
        if not self._places:
            return False
        visible = [place for place in range(first, last + 1) if place in self._visible]
        unmapped = sum(place in self._places for place in visible)
        return unmapped > MOST_UNMAPPED * len(visible)

    def _is_suspicious(self, text_page: pypdfium2.PdfTextPage, text: str) -> bool:
        if NO_LETTERS.search(text):
            return True
        return any(_is_unmapped(text_page, match.start()) for match in LINE_STARTS.finditer(text))

    def _look_at(self, text_page: pypdfium2.PdfTextPage) -> None:
        shown = {
            index: character
            for index in range(text_page.count_chars())
            if not (character := chr(pdfium.FPDFText_GetUnicode(text_page, index))).isspace()
            or _is_unmapped(text_page, index)
        }
        unmapped = {
            index: character
            for index, character in shown.items()
            if NO_LETTERS.match(character) or _is_unmapped(text_page, index)
        }
        self.is_much = len(unmapped) > MUCH * len(shown)
        letters = sum(character.isalpha() for character in unmapped.values())
        if letters < LETTERS_BY_CHANCE * len(unmapped):
            self._places, self._visible = frozenset(unmapped), frozenset(shown)


def _is_unmapped(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    return bool(pdfium.FPDFText_HasUnicodeMapError(text_page, index) == 1)
