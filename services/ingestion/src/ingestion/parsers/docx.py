"""Word documents: paragraphs, headings, lists and tables in reading order, as plain text.

python-docx opens the package and knows its parts.
"""

import io
import zipfile
from collections.abc import Iterable
from typing import Any

import docx
from docx.opc.exceptions import OpcError
from docx.opc.part import Part, PartFactory
from lxml import etree  # type: ignore[import-untyped]  # ships no types

from ingestion.parsers.decode import decode_text
from ingestion.parsers.sniff import OLE_MAGIC, ZIP
from ingestion.parsers.word_blocks import ALT_CHUNK, RELATION, TABLE, TEXT_BOX, read_rows, read_text, walk_blocks
from ingestion.parsers.word_parts import HTML_TYPES, read_chart, read_page, walk_sides
from ingestion.parsers.word_styles import WordStyles
from ingestion.text import (
    ContentType,
    FailureReason,
    Heading,
    ParsedDocument,
    ParseFailure,
    ParseWarning,
    WarningReason,
    canonicalise,
)

MAX_INFLATED_BYTES = 512 * 1024**2
# What an Office package may use (ECMA-376-2). zipfile inflates others a whole block at a time, without a bound.
COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
NO_TITLES = frozenset({"", "word document"})
# Documents imported into documents imported into ...
DEEPEST_IMPORT = 2


def parse_docx(raw: bytes, *, depth: int = 0) -> ParsedDocument:
    """Returns the text of the body, then that of headers, footers, notes and comments, and the headings in it.

    Word files have no fixed pages. Text boxes, charts and imported chunks follow the paragraph that they are in.
    Raises ParseFailure ENCRYPTED, CORRUPT, or PARSE_LIMIT for an archive that inflates to too much. ``depth`` is how
    many documents it has been imported into.
    """
    try:
        return _read(_open(raw), depth)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        if error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
            message = "The Word document is nested too deeply, or holds too long a piece of text, to be read."
            raise ParseFailure(FailureReason.PARSE_LIMIT, message) from error
        raise _damaged() from error


def _read(document: Any, depth: int) -> ParsedDocument:  # noqa: ANN401 - python-docx is untyped
    composer = _Composer(WordStyles(document), depth)
    composer.add_all(walk_blocks(document.element.body), document.part)
    seen: set[str] = set()
    for side in walk_sides(document):
        # Each section may repeat its header.
        words = "".join(read_text(block, []) for block in side.blocks)
        if words not in seen:
            composer.add_all(side.blocks, side.part, author=side.author)
        seen.add(words)
    title = canonicalise(document.core_properties.title or "").strip()
    if title.lower() in NO_TITLES:
        title = composer.title or next((heading.title for heading in composer.headings), "")
    return ParsedDocument("".join(composer.parts), (), tuple(composer.headings), title, 0, composer.warnings)


def _open(raw: bytes) -> Any:  # noqa: ANN401 - python-docx is untyped
    if raw.startswith(OLE_MAGIC):
        raise _locked()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _refuse_parts(archive.infolist())
        # An imported document has the type of the main one, and would be taken for XML; pictures need no reading.
        PartFactory.part_class_selector = _choose_class
        return docx.Document(io.BytesIO(raw))
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, EOFError) as error:
        raise _damaged() from error


def _choose_class(content_type: str, relation: str) -> type[Part] | None:  # noqa: ARG001 - as python-docx calls it
    return Part if relation.endswith(("/aFChunk", "/image")) else None


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


class _Composer:
    """Builds the canonical text block by block and knows where it stands."""

    def __init__(self, styles: WordStyles, depth: int) -> None:
        self.parts: list[str] = []
        self.headings: list[Heading] = []
        self.title = ""
        self._styles = styles
        self._depth = depth
        self._length = 0
        self._in_list = False
        self._unread = 0

    @property
    def warnings(self) -> tuple[ParseWarning, ...]:
        """How many things in the file are of kinds that are not read."""
        return (ParseWarning(WarningReason.UNREAD_PARTS, self._unread),) if self._unread else ()

    def add_all(self, blocks: Iterable[etree._Element], part: Any, *, author: str = "") -> None:  # noqa: ANN401
        """Adds blocks of a part, each followed by what stands beside it; an author is named before the first."""
        for block in blocks:
            asides: list[etree._Element] = []
            if block.tag == ALT_CHUNK:
                self._add_related(block, part)
            elif block.tag == TABLE:
                self._append("\n".join(read_rows(block, asides)), tight=False)
            else:
                self._add_paragraph(block, asides, prefix=f"{author}: " if author else "")
                author = ""
            for aside in asides:
                if aside.tag == TEXT_BOX:
                    self.add_all(walk_blocks(aside), part)
                else:
                    self._add_related(aside, part)

    def _add_related(self, element: etree._Element, part: Any) -> None:  # noqa: ANN401
        """Adds the chart or the imported chunk that an element refers to."""
        related = part.rels.get(element.get(RELATION))
        if related is None or related.is_external:
            self._unread += 1
            return
        text = (
            _read_import(related.target_part, self._depth)
            if element.tag == ALT_CHUNK
            else read_chart(related.target_part)
        )
        if text is None:
            self._unread += 1
        else:
            self._append(text, tight=False)

    def _add_paragraph(self, paragraph: etree._Element, asides: list[etree._Element], prefix: str) -> None:
        text = read_text(paragraph, asides).strip()
        if not text:
            return
        look = self._styles.look_of(paragraph)
        listed = look.list_depth > 0
        if listed:
            prefix = "  " * (look.list_depth - 1) + "- " + prefix
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


def _read_import(part: Any, depth: int) -> str | None:  # noqa: ANN401
    """Returns the text of an imported chunk, None if it is of a kind that is not read."""
    if part.content_type in HTML_TYPES:
        return read_page(part.blob)
    if part.content_type == ContentType.TEXT:
        return canonicalise(decode_text(part.blob)[0]).strip()
    if part.blob.startswith(ZIP) and depth < DEEPEST_IMPORT:
        return parse_docx(part.blob, depth=depth + 1).text
    return None
