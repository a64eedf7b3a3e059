"""Reads what people have put on the pages of a PDF: the values of form fields, and free-text annotations."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import PdfMatrix
from pypdfium2 import raw as pdfium

from ingestion.parsers.lines import Line, clean_line, is_right_to_left

MOST_ANNOTATIONS = 2000
LONGEST_VALUE = 65_536
DEFAULT_SIZE = 10.0
HIDDEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
# ISO 32000-2, table 228: what is typed into such a field is a secret.
PASSWORD = 1 << 13
TEXTS = frozenset({pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX})
BOXES = frozenset({pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON})
CHECKED = "☑"


def read_fields(page: pypdfium2.PdfPage) -> list[Line]:
    """Returns the filled fields and the free texts of a page as lines, in the order of the file.

    A box that is ticked is ☑ and the value that it stands for. Empty and hidden fields, and passwords, are left out.
    """
    turn = 90 * pdfium.FPDFPage_GetRotation(page)
    lines: list[Line] = []
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), MOST_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                lines += _make_lines(annotation, _read_value(page, annotation), turn)
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)
    return lines


def place_fields(fields: Sequence[Line], lines: Sequence[Line]) -> list[Line]:
    """Returns a page's lines with each field behind its label: to the right of it, else below it."""
    placed = list(lines)
    for field in fields:
        placed.insert(_find_place(field, placed), field)
    return placed


def _find_place(field: Line, lines: Sequence[Line]) -> int:
    beside = [place for place, line in enumerate(lines) if _is_label(line, field)]
    if beside:
        return 1 + min(beside, key=lambda place: _distance(lines[place], field))
    above = [place for place, line in enumerate(lines) if line.turn == field.turn and line.baseline > field.baseline]
    if above:
        # The lowest of them, and of several at one height the last.
        return 1 + min(above, key=lambda place: (lines[place].baseline - field.baseline, -place))
    return 0


def _is_label(line: Line, field: Line) -> bool:
    """Tells whether a line stands at a field's height and begins before it, in the line's direction."""
    level = abs(line.baseline - field.baseline) < 0.8 * max(line.size, field.size)
    (start, end), (field_start, field_end) = _span(line), _span(field)
    before = end >= field_end - 1 if is_right_to_left(line.text) else start <= field_start + 1
    return line.turn == field.turn and level and before


def _distance(line: Line, field: Line) -> float:
    (start, end), (field_start, field_end) = _span(line), _span(field)
    return end - field_end if is_right_to_left(line.text) else field_start - start


def _span(line: Line) -> tuple[float, float]:
    """Returns where a line begins and ends from the left, be it mirrored or not."""
    ends = abs(line.left), abs(line.right)
    return min(ends), max(ends)


def _read_value(page: pypdfium2.PdfPage, annotation: Any) -> str:  # noqa: ANN401 - a ctypes pointer
    if pdfium.FPDFAnnot_GetFlags(annotation) & HIDDEN:
        return ""
    subtype = pdfium.FPDFAnnot_GetSubtype(annotation)
    if subtype == pdfium.FPDF_ANNOT_FREETEXT:
        return _read_string(lambda *room: pdfium.FPDFAnnot_GetStringValue(annotation, b"Contents", *room))
    if subtype != pdfium.FPDF_ANNOT_WIDGET or not page.formenv:
        return ""
    return _read_field(page.formenv, annotation)


def _read_field(form: Any, annotation: Any) -> str:  # noqa: ANN401
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in BOXES and pdfium.FPDFAnnot_IsChecked(form, annotation):
        value = _read_string(lambda *room: pdfium.FPDFAnnot_GetFormFieldExportValue(form, annotation, *room))
        return f"{CHECKED} {value}"
    if kind == pdfium.FPDF_FORMFIELD_LISTBOX:
        return "\n".join(_read_choices(form, annotation))
    if kind in TEXTS and not pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD:
        return _read_string(lambda *room: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, *room))
    return ""


def _read_choices(form: Any, annotation: Any) -> Iterator[str]:  # noqa: ANN401
    count = pdfium.FPDFAnnot_GetOptionCount(form, annotation)
    for index in range(min(count, MOST_ANNOTATIONS)):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, index):
            yield _read_string(
                lambda *room, index=index: pdfium.FPDFAnnot_GetOptionLabel(form, annotation, index, *room)
            )


def _read_string(read: Callable[[Any, int], int]) -> str:
    """Returns what a function of PDFium's writes, as UTF-16 with a zero at its end, into the room that it is given."""
    length = min(read(None, 0), LONGEST_VALUE)
    room = (ctypes.c_ushort * (length // 2 + 1))()
    read(room, length)
    return bytes(room)[: max(length - 2, 0)].decode("utf-16-le", "ignore")


def _make_lines(annotation: Any, value: str, turn: int) -> Iterator[Line]:  # noqa: ANN401
    """Yields the lines of a value, the first at the top of its box, as large as fits."""
    texts = [text for text in value.splitlines() if text.strip()]
    if not texts:
        return
    box = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, box)
    left, low, right, high = PdfMatrix().rotate(turn).on_rect(box.left, box.bottom, box.right, box.top)
    size = min(DEFAULT_SIZE, max((high - low) / len(texts) / 1.2, 1.0))
    # A field of one line is set in the middle of its box.
    first = (high + low) / 2 - 0.3 * size if len(texts) == 1 else high - size
    for number, text in enumerate(texts):
        line = clean_line(Line(text, left, right, first - 1.2 * size * number, size, turn=turn))
        if line.text:
            yield line
