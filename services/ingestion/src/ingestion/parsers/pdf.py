"""PDF: text from PDFium, or from pypdf where PDFium cannot open the file or what is in it.

Runs only inside the parsing child: PDFium has no budgets of its own.
"""

import io
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pypdfium2  # type: ignore[import-untyped]  # ships no types
from pypdfium2 import raw as pdfium

from ingestion.parsers.furniture import remove_furniture
from ingestion.parsers.layout import Lexicon, PageText, compose_page
from ingestion.parsers.lines import Line
from ingestion.parsers.pdf_headings import OutlineItem, Place, find_headings, find_title, place_outline
from ingestion.parsers.pdfium_fields import place_fields, read_fields
from ingestion.parsers.pdfium_lines import PageLines, read_lines, read_outline
from ingestion.text import (
    FailureReason,
    Heading,
    Page,
    ParsedDocument,
    ParseFailure,
    ParseWarning,
    WarningReason,
    canonicalise,
    has_words,
)

PAGE_BREAK = "\n\n"
# What is packed so is empty to PDFium (ISO/TS 32007).
BROTLI = b"/BrotliDecode"
# What programs write when nobody gave a title.
NO_TITLE = re.compile(
    r"untitled|microsoft word - |.*\.(?:docx?|html?|pdf|dvi|tex|qxd|indd|rtf|pptx?|xlsx?)\Z|[\W\d_]*\Z", re.I
)


@dataclass(frozen=True)
class PdfContent:
    """What a PDF reader found: clean lines by page, bookmarks, the title in the metadata, what it left out."""

    pages: list[list[Line]]
    outline: list[OutlineItem]
    title: str
    warnings: tuple[ParseWarning, ...] = ()


def parse_pdf(raw: bytes, max_pages: int) -> ParsedDocument:
    """Returns the text of a PDF, page by page. Raises ParseFailure ENCRYPTED, CORRUPT or TOO_MANY_PAGES."""
    try:
        content = _read_with_pdfium(raw, max_pages) if BROTLI not in raw else _read_with_pypdf(raw, max_pages)
    except pypdfium2.PdfiumError:
        content = _read_with_pypdf(raw, max_pages)
    document = _compose(content)
    unmapped = any(warning.reason is WarningReason.UNMAPPED_PAGES for warning in content.warnings)
    if unmapped and not has_words(document.text):
        message = "The PDF's fonts do not say which letters they show. Print it to PDF again, or recognise its pages."
        raise ParseFailure(FailureReason.CORRUPT, message)
    return document


def check_page_count(count: int, max_pages: int) -> None:
    """Raises ParseFailure unless there are pages and no more than max_pages."""
    if count > max_pages:
        message = f"The document has {count} pages; the limit is {max_pages}. Split it and upload the parts."
        raise ParseFailure(FailureReason.TOO_MANY_PAGES, message)
    if count < 1:
        raise ParseFailure(FailureReason.CORRUPT, "The PDF is damaged: it has no pages.")


def _read_with_pdfium(raw: bytes, max_pages: int) -> PdfContent:
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            message = "The PDF needs a password. Remove its protection and upload it again."
            raise ParseFailure(FailureReason.ENCRYPTED, message) from error
        raise
    check_page_count(len(document), max_pages)
    # Before the first page is opened. A form that is broken leaves its pages readable.
    with suppress(pypdfium2.PdfiumError):
        document.init_forms()
    pages, warnings = _read_pages(document)
    outline = [item for item in read_outline(document) if not NO_TITLE.match(item.title)]
    return PdfContent(pages, outline, document.get_metadata_value("Title"), warnings)


def _read_pages(document: pypdfium2.PdfDocument) -> tuple[list[list[Line]], tuple[ParseWarning, ...]]:
    """Returns the lines of each page, none for a damaged one; raises PdfiumError if all are damaged.

    The readable pages of a book are worth more than a failure that names the one that is not.
    """
    pages: list[list[Line]] = []
    counts = Counter[WarningReason]()
    for index in range(len(document)):
        try:
            page = _read_page(document, index)
        except pypdfium2.PdfiumError:
            counts[WarningReason.DAMAGED_PAGES] += 1
            if counts[WarningReason.DAMAGED_PAGES] == len(document):
                raise
            pages.append([])
            continue
        counts[WarningReason.UNMAPPED_PAGES] += page.is_unmapped
        pages.append(page.lines)
    return pages, tuple(ParseWarning(reason, count) for reason, count in counts.items() if count)


def _read_page(document: pypdfium2.PdfDocument, index: int) -> PageLines:
    page = document[index]
    try:
        read = read_lines(page)
        return replace(read, lines=place_fields(read_fields(page), read.lines))
    finally:
        page.close()


def _read_with_pypdf(raw: bytes, max_pages: int) -> PdfContent:
    # Imported here because few files need it and it takes longer to import than most take to read.
    from ingestion.parsers.pypdf_lines import read_with_pypdf  # noqa: PLC0415

    pages, title = read_with_pypdf(io.BytesIO(raw), lambda count: check_page_count(count, max_pages))
    return PdfContent(pages, [], title)


def _compose(content: PdfContent) -> ParsedDocument:
    pages = remove_furniture(content.pages)
    lexicon = Lexicon(line for page in pages for line in page)
    texts = [compose_page(page, lexicon) for page in pages]
    starts: list[int] = []
    length = 0
    for text in texts:
        starts.append(length)
        length += len(text.text) + len(PAGE_BREAK)
    title = _choose_title(content, pages)
    places = place_outline(content.outline, pages) if content.outline else find_headings(pages)
    return ParsedDocument(
        text=PAGE_BREAK.join(text.text for text in texts),
        pages=tuple(Page(index + 1, start) for index, start in enumerate(starts)),
        headings=tuple(_locate(place, starts, texts) for place in places if place.title != title),
        title=title,
        page_count=len(pages),
        warnings=content.warnings,
    )


def _locate(place: Place, starts: Sequence[int], texts: Sequence[PageText]) -> Heading:
    offsets = texts[place.page_index].line_offsets
    within = offsets[place.line_index] if offsets else 0
    return Heading(place.level, canonicalise(place.title), starts[place.page_index] + within)


def _choose_title(content: PdfContent, pages: Sequence[Sequence[Line]]) -> str:
    title = " ".join(canonicalise(content.title).split())
    if NO_TITLE.match(title):
        return find_title(pages[0])
    return title
