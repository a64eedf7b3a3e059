"""Reads the glyphs of a page one by one with PDFium: slower than by lines, for pages with right-to-left text.

PDFium's text leaves out objects without width. They are the blanks between and, as ActualText, the joiners within
Persian words, as Chromium and LibreOffice write them; so the page's objects are read, each with its characters.
"""

import ctypes
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import PdfMatrix
from pypdfium2 import raw as pdfium

from ingestion.parsers.pdfium_objects import TextObject, address_of, walk_text_objects
from ingestion.parsers.right_to_left import BLANK, JOINERS, Glyph

# PDFium turns round the two letters of a ligature like any others.
TURNED_LIGATURE = re.compile("([\u0622\u0623\u0625\u0627])\u0644")
# How far from its line's baseline the letter or mark of a line may stand; ems.
NEAR_BASELINE = 0.6
NO_WIDTH = 0.01


@dataclass
class GlyphLine:
    """Glyphs on one baseline in the order of the file, and the index of one of their characters, -1 for none.

    Points along and across a baseline that is turned anticlockwise by ``turn`` degrees, as in Line.
    """

    baseline: float
    size: float
    turn: int
    glyphs: list[Glyph] = field(default_factory=list)
    character: int = -1

    def holds(self, other: "GlyphLine") -> bool:
        """Tells whether another's glyphs stand on this baseline, or as near to it as marks do."""
        reach = NEAR_BASELINE * max(self.size, other.size)
        return self.turn == other.turn and abs(self.baseline - other.baseline) < reach

    def extend(self, other: "GlyphLine") -> None:
        """Adds another's glyphs."""
        self.glyphs += other.glyphs
        self.character = max(self.character, other.character)


def read_glyph_lines(page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage) -> Iterator[GlyphLine]:
    """Yields the lines of a page in the order in which the file writes them, without empty ones."""
    marks: list[GlyphLine] = []
    line: GlyphLine | None = None
    for piece in _read_pieces(walk_text_objects(page), text_page):
        if line and line.holds(piece):
            line.extend(piece)
        elif all(glyph.is_mark for glyph in piece.glyphs):
            # Drawn before the letter that it belongs to.
            marks.append(piece)
        else:
            if line:
                yield line
            line = piece
            for mark in marks:
                line.extend(mark)
            marks = []
    if line:
        yield line


def _read_pieces(objects: Iterable[TextObject], text_page: pypdfium2.PdfTextPage) -> Iterator[GlyphLine]:
    """Yields what has glyphs: one text object, or the several that stand for one thing."""
    characters = _group_characters(text_page)
    for mark, group in groupby(objects, key=lambda text_object: text_object.mark):
        members = list(group)
        if mark:
            piece = _start_piece(members[0])
            piece.glyphs = [_make_glyph(members[0].meaning, members)]
            yield piece
            continue
        for text_object in members:
            indices = characters.get(text_object.address, ())
            piece = _start_piece(text_object)
            piece.glyphs = list(_read_characters(text_page, indices, text_object.turn))
            piece.character = indices[0] if indices else -1
            if not indices and text_object.box[2] - text_object.box[0] < NO_WIDTH:
                piece.glyphs = [_make_glyph(BLANK, members=[text_object])]
            if piece.glyphs:
                yield piece


def _group_characters(text_page: pypdfium2.PdfTextPage) -> Mapping[int, Sequence[int]]:
    """Returns the indices of the characters of each text object, by its address; not of those that PDFium adds."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(text_page.count_chars()):
        text_object = pdfium.FPDFText_GetTextObject(text_page, index)
        if text_object and not pdfium.FPDFText_IsGenerated(text_page, index):
            groups[address_of(text_object)].append(index)
    return groups


def _start_piece(text_object: TextObject) -> GlyphLine:
    return GlyphLine(_find_origin(text_object)[1], text_object.size, text_object.turn)


def _find_origin(text_object: TextObject) -> tuple[float, float]:
    x, y = PdfMatrix().rotate(text_object.turn).on_point(text_object.matrix.e, text_object.matrix.f)
    return x, y


def _make_glyph(text: str, members: Sequence[TextObject]) -> Glyph:
    """Returns one glyph for several objects, from where the pen begins to where the ink ends."""
    start = min(_find_origin(member)[0] for member in members)
    end = max(PdfMatrix().rotate(member.turn).on_rect(*member.box)[2] for member in members)
    return Glyph(text, start, start if text in JOINERS else max(start, end), ends_as_ink=True)


def _read_characters(text_page: pypdfium2.PdfTextPage, indices: Sequence[int], turn: int) -> Iterator[Glyph]:
    straight = PdfMatrix().rotate(turn)
    # The letters of a ligature begin at one point, and are in order among themselves.
    for _, members in groupby(indices, key=lambda index: _read_origin(text_page, index)):
        places = list(members)
        text = "".join(chr(pdfium.FPDFText_GetUnicode(text_page, place)) for place in places)
        text = TURNED_LIGATURE.sub("\u0644\\1", text.strip() or text[:1])
        boxes = [straight.on_rect(*_read_box(text_page, place)) for place in places]
        if text >= BLANK:
            yield Glyph(text, min(box[0] for box in boxes), max(box[2] for box in boxes))


def _read_origin(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float]:
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
    return x.value, y.value


def _read_box(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return box.left, box.bottom, box.right, box.top
