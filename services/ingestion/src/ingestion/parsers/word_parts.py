"""What stands in a Word file beside its body: headers, footers, notes, comments, charts, imported chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from docx.oxml import parse_xml
from lxml import etree  # type: ignore[import-untyped]  # ships no types

from ingestion.parsers.decode import decode_text
from ingestion.parsers.word_blocks import walk_blocks
from ingestion.text import canonicalise

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
# In the order in which they follow the body, the endings of their relations' types.
BESIDE = ("/header", "/footer", "/footnotes", "/endnotes", "/comments")
NOTES = frozenset({f"{_W}footnote", f"{_W}endnote", f"{_W}comment"})
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
NO_TEXT_TAGS = ("script", "style", "head", "template", "noscript")
LINE_TAGS = frozenset({"p", "div", "br", "li", "tr", "table", "ul", "ol", "section", "article", "blockquote", "pre"})
LINE_TAGS |= frozenset(f"h{level}" for level in range(1, 7))
MOST_POINTS = 10_000


@dataclass(frozen=True)
class Side:
    """A part beside the body, or one note of it: its blocks, and who wrote it, if it says so."""

    part: Any
    blocks: Sequence[etree._Element]
    author: str = ""


def walk_sides(document: Any) -> Iterator[Side]:  # noqa: ANN401 - python-docx is untyped
    """Yields headers, footers, footnotes, endnotes and comments, the parts of one kind in the order of the file."""
    relations = [relation for relation in document.part.rels.values() if not relation.is_external]
    for ending in BESIDE:
        for relation in relations:
            if relation.reltype.endswith(ending):
                yield from _read_side(relation.target_part)


def read_chart(part: Any) -> str:  # noqa: ANN401
    """Returns the titles of a chart on lines of their own, and its figures as the rows of a table."""
    root = parse_xml(part.blob)
    titles = [_join(title.iter(f"{_A}t")) for title in root.iter(f"{_C}title")]
    series = list(root.iter(f"{_C}ser"))
    names = [_join(one.iterfind(f"{_C}tx//{_C}v")) for one in series]
    columns = (
        [list(series[0].iterfind(f"{_C}cat//{_C}v")) or list(series[0].iterfind(f"{_C}xVal//{_C}v"))] if series else []
    )
    columns += [list(one.iterfind(f"{_C}val//{_C}v")) or list(one.iterfind(f"{_C}yVal//{_C}v")) for one in series]
    rows = [["", *names]] if any(names) else []
    rows += [
        ["" if cell is None else _join([cell]) for cell in row]
        for row in zip_longest(*(c[:MOST_POINTS] for c in columns))
    ]
    return canonicalise("\n".join([*filter(None, titles), *(" | ".join(row) for row in rows)])).strip()


def read_page(raw: bytes) -> str:
    """Returns the text of an imported HTML page, a line for each of its blocks."""
    # Imported here because few files need it.
    from lxml import html  # noqa: PLC0415

    if not raw.strip():
        return ""
    root = html.document_fromstring(decode_text(raw)[0].encode(), parser=html.HTMLParser(encoding="utf-8"))
    etree.strip_elements(root, etree.Comment, *NO_TEXT_TAGS, with_tail=False)
    pieces: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in LINE_TAGS:
            pieces.append("\n")
        pieces.append((element.text if event == "start" else element.tail) or "")
    lines = (" ".join(line.split()) for line in _break_lines(pieces))
    return canonicalise("\n".join(line for line in lines if line))


def _break_lines(pieces: Sequence[str]) -> list[str]:
    # A line break in the source of a page is a blank.
    return "".join(piece if piece == "\n" else " ".join(piece.splitlines()) for piece in pieces).split("\n")


def _read_side(part: Any) -> Iterator[Side]:  # noqa: ANN401
    root = parse_xml(part.blob)
    notes = [note for note in root if note.tag in NOTES]
    if not notes:
        yield Side(part, list(walk_blocks(root)))
    for note in notes:
        # Those with a type are the lines that separate notes from text.
        if note.get(f"{_W}type") is None:
            yield Side(part, list(walk_blocks(note)), note.get(f"{_W}author") or "")


def _join(elements: Any) -> str:  # noqa: ANN401
    return " ".join("".join(element.text or "" for element in elements).split())
