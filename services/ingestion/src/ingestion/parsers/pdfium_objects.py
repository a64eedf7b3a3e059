"""Walks over the text objects of a page with PDFium, those that it drops from its text included."""

import codecs
import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import PdfMatrix
from pypdfium2 import raw as pdfium

DEEPEST_FORM = 8
LONGEST_ACTUAL_TEXT = 2048


@dataclass(frozen=True)
class TextObject:
    """One piece of text as its page draws it.

    ``address`` is that of the object as FPDFText_GetTextObject knows it. ``matrix`` carries its points to the page's,
    ``box`` (left, low, right, high) is where its ink is on the page. ``meaning`` is what the marks around it say that
    it stands for (ActualText: ISO 32000-2, 14.9.4), "" where they say nothing; objects of one ``mark`` share it.
    """

    address: int
    matrix: PdfMatrix
    size: float
    box: tuple[float, float, float, float]
    meaning: str
    mark: int

    @property
    def turn(self) -> int:
        """The angle of its baseline in whole degrees, anticlockwise."""
        return round(math.degrees(math.atan2(self.matrix.b, self.matrix.a))) % 360


def walk_text_objects(page: pypdfium2.PdfPage) -> Iterator[TextObject]:
    """Yields the text objects of a page and of the forms on it, in the order in which they are drawn."""
    for handle, form in _walk(page, PdfMatrix(), 0):
        matrix = _read_matrix(handle).multiply(form)
        size = ctypes.c_float()
        pdfium.FPDFTextObj_GetFontSize(handle, size)
        meaning, mark = _read_meaning(handle)
        yield TextObject(
            address=address_of(handle),
            matrix=matrix,
            size=abs(size.value) * math.hypot(matrix.c, matrix.d),
            box=form.on_rect(*_read_bounds(handle)),
            meaning=meaning,
            mark=mark,
        )


def address_of(handle: Any) -> int:  # noqa: ANN401 - a ctypes pointer
    """Returns the address that a handle of PDFium's points to; handles of the same thing are not equal."""
    return ctypes.addressof(handle.contents)


def _walk(holder: Any, matrix: PdfMatrix, depth: int) -> Iterator[tuple[Any, PdfMatrix]]:  # noqa: ANN401
    """Yields handles of text objects, and what carries the points of the form that each is in to the page's."""
    count, get = (
        (pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject)
        if depth
        else (pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject)
    )
    for index in range(count(holder)):
        handle = get(holder, index)
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            yield handle, matrix
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < DEEPEST_FORM:
            yield from _walk(handle, _read_matrix(handle).multiply(matrix), depth + 1)


def _read_matrix(handle: Any) -> PdfMatrix:  # noqa: ANN401
    found = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(handle, found)
    return PdfMatrix.from_raw(found)


def _read_bounds(handle: Any) -> tuple[float, float, float, float]:  # noqa: ANN401
    left, low, right, high = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(handle, left, low, right, high)
    return left.value, low.value, right.value, high.value


def _read_meaning(handle: Any) -> tuple[str, int]:  # noqa: ANN401
    for index in range(pdfium.FPDFPageObj_CountMarks(handle)):
        mark = pdfium.FPDFPageObj_GetMark(handle, index)
        length = ctypes.c_ulong()
        pdfium.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", None, 0, length)
        if 0 < length.value <= LONGEST_ACTUAL_TEXT:
            value = (ctypes.c_ubyte * length.value)()
            pdfium.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", value, length.value, length)
            return _decode_text_string(bytes(value)), address_of(mark)
    return "", 0


def _decode_text_string(raw: bytes) -> str:
    """Decodes a text string (ISO 32000-2, 7.9.2.2), but for the accents of PDFDocEncoding."""
    if raw.startswith(codecs.BOM_UTF16_BE):
        return raw[2:].decode("utf-16-be", "ignore")
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "ignore")
