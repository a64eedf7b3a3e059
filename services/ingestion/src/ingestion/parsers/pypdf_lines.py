"""Reads the lines of a PDF with pypdf: slower and coarser, for files that PDFium cannot open."""

from collections.abc import Callable
from typing import IO

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

from ingestion.parsers.lines import Line, clean_line
from ingestion.text import FailureReason, ParseFailure


def read_with_pypdf(source: IO[bytes], check_count: Callable[[int], None]) -> tuple[list[list[Line]], str]:
    """Returns clean lines by page and the title in the metadata.

    Raises ParseFailure ENCRYPTED, CORRUPT, PARSE_LIMIT, or what check_count raises for the page count.
    """
    try:
        reader = PdfReader(source)
        check_count(len(reader.pages))
        pages = [_read_lines(page) for page in reader.pages]
        title = (reader.metadata and reader.metadata.title) or ""
    except (FileNotDecryptedError, DependencyError) as error:
        message = "The PDF needs a password. Remove its protection and upload it again."
        raise ParseFailure(FailureReason.ENCRYPTED, message) from error
    except LimitReachedError as error:
        raise ParseFailure(FailureReason.PARSE_LIMIT, "The PDF inflates to more than can be read.") from error
    except PyPdfError as error:
        raise ParseFailure(FailureReason.CORRUPT, "The PDF is damaged and cannot be read.") from error
    return pages, title


def _read_lines(page: PageObject) -> list[Line]:
    """Returns lines on a grid of one unit per character, the nearest thing to a layout that pypdf gives."""
    lines = (
        clean_line(Line(text, left=0, right=len(text) * 0.5, baseline=-index, size=1.0))
        for index, text in enumerate(page.extract_text().splitlines())
    )
    return [line for line in lines if line.text]
