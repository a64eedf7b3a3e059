"""Word documents: paragraphs, headings, lists and tables in reading order, as plain text.

python-docx opens the package and knows its parts. The body is walked as a tree, because its
paragraph objects take 70 s for a million paragraphs and the walk takes seconds.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.exceptions import OpcError
from docx.oxml import parse_xml
from lxml import etree  # type: ignore[import-untyped]  # ships no types

from ingestion.parsers.sniff import OLE_MAGIC
from ingestion.parsers.word_styles import WordStyles
from ingestion.text import FailureReason, Heading, ParsedDocument, ParseFailure, canonicalise

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
BREAKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
NOTE_PARTS = ("/footnotes", "/endnotes")
MAX_INFLATED_BYTES = 512 * 1024**2
# What an Office package may use (ECMA-376-2). zipfile inflates others a whole block at a time, without a bound.
COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
NO_TITLES = frozenset({"", "word document"})


def parse_docx(raw: bytes) -> ParsedDocument:
    """Returns the text of body and notes with its headings; Word files have no fixed pages.

    Raises ParseFailure ENCRYPTED, CORRUPT, or PARSE_LIMIT for an archive that inflates to too much.
    """
    document = _open(raw)
    composer = _Composer(WordStyles(document))
    for block in (*_walk_blocks(document.element.body), *_walk_notes(document)):
        composer.add(block)
    title = canonicalise(document.core_properties.title or "").strip()
    if title.lower() in NO_TITLES:
        title = composer.title or next((heading.title for heading in composer.headings), "")
    return ParsedDocument("".join(composer.parts), (), tuple(composer.headings), title, 0)


def _open(raw: bytes) -> Any:  # noqa: ANN401 - python-docx is untyped
    if raw.startswith(OLE_MAGIC):
        raise _locked()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _refuse_parts(archive.infolist())
        return docx.Document(io.BytesIO(raw))
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise _damaged() from error
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, EOFError) as error:
        raise _damaged() from error


def _damaged() -> ParseFailure:
    # Only here is a template, say, told from a document: the type stands inside the archive.
    message = "The Word document is damaged or of another kind than .docx. Save it as .docx and upload it again."
    return ParseFailure(FailureReason.CORRUPT, message)


def _locked() -> ParseFailure:
    message = "The Word document needs a password. Remove its protection and upload it again."
    return ParseFailure(FailureReason.ENCRYPTED, message)


def _refuse_parts(parts: list[zipfile.ZipInfo]) -> None:
    if any(part.flag_bits & 1 for part in parts):
        raise _locked()
    if any(part.compress_type not in COMPRESSIONS for part in parts):
        raise ParseFailure(
            FailureReason.CORRUPT,
            "The Word document is compressed in a way that Word does not use. Save it with Word and upload it again.",
        )
    if sum(part.file_size for part in parts) > MAX_INFLATED_BYTES:
        raise ParseFailure(FailureReason.PARSE_LIMIT, "The Word document inflates to more than can be read.")


def _walk_blocks(body: etree._Element) -> Iterator[etree._Element]:
    """Yields paragraphs and tables in order, those inside content controls too."""
    stack = [iter(body)]
    while stack:
        for element in stack[-1]:
            if element.tag in {f"{_W}p", f"{_W}tbl"}:
                yield element
            elif element.tag in {f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"}:
                stack.append(iter(element))
                break
        else:
            stack.pop()


def _walk_notes(document: Any) -> Iterator[etree._Element]:  # noqa: ANN401 - python-docx is untyped
    """Yields the paragraphs of the footnotes and endnotes, which follow the body's text."""
    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(NOTE_PARTS):
            notes = parse_xml(relation.target_part.blob)
            for note in notes:
                # Those with a type are the lines that separate notes from text.
                if note.get(f"{_W}type") is None:
                    yield from _walk_blocks(note)


class _Composer:
    """Builds the canonical text block by block and knows where it stands."""

    def __init__(self, styles: WordStyles) -> None:
        self.parts: list[str] = []
        self.headings: list[Heading] = []
        self.title = ""
        self._styles = styles
        self._length = 0
        self._in_list = False

    def add(self, block: etree._Element) -> None:
        if block.tag == f"{_W}tbl":
            self._append("\n".join(_read_rows(block)), tight=False)
        else:
            self._add_paragraph(block)

    def _add_paragraph(self, paragraph: etree._Element) -> None:
        text = _read_text(paragraph).strip()
        if not text:
            return
        look = self._styles.look_of(paragraph)
        listed = look.list_depth > 0
        prefix = "  " * (look.list_depth - 1) + "- " if listed else ""
        start = self._append(prefix + text, tight=listed and self._in_list)
        self._in_list = listed
        if look.heading_level:
            self.headings.append(Heading(look.heading_level, " ".join(text.split()), start))
        elif look.is_title and not self.title:
            self.title = " ".join(text.split())

    def _append(self, text: str, *, tight: bool) -> int:
        """Adds a block after a blank line, or after a line break if tight; returns where it starts."""
        if not text:
            return self._length
        separator = "" if not self.parts else "\n" if tight else "\n\n"
        start = self._length + len(separator)
        self.parts += (separator, text)
        self._length = start + len(text)
        self._in_list = False
        return start


def _read_rows(table: etree._Element) -> Iterator[str]:
    for row in table.iter(f"{_W}tr"):
        cells = [" ".join(_read_text(cell).split()) for cell in row.iterchildren(f"{_W}tc")]
        if any(cells):
            yield " | ".join(cells)


def _read_text(element: etree._Element) -> str:
    """Returns the visible text below an element, paragraphs inside it on lines of their own."""
    parts: list[str] = []
    stack = [iter(element)]
    while stack:
        for child in stack[-1]:
            if child.tag in {f"{_W}t", MATH_TEXT}:
                parts.append(child.text or "")
            elif child.tag in BREAKS:
                parts.append(BREAKS[child.tag])
            elif child.tag not in {f"{_W}pPr", f"{_W}rPr", f"{_W}del", f"{_W}instrText", FALLBACK}:
                if child.tag == f"{_W}p" and parts:
                    parts.append("\n")
                stack.append(iter(child))
                break
        else:
            stack.pop()
    return canonicalise("".join(parts))
