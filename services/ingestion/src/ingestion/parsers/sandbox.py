"""The parsing child: reads a document from stdin, writes one JSON result to stdout, and ends.

Run by `ChildProcessParser` as ``python -I -m ingestion.parsers.sandbox TYPE LIMITS``. It confines
itself before it imports any parser or reads any byte of the document.
"""

import errno
import json
import os
import sys
import traceback

from ingestion.parsers.confine import confine
from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.wire import encode_document, encode_failure
from ingestion.text import ContentType, FailureReason, ParsedDocument, ParseFailure, has_words

OUT_OF_MEMORY = 77
"""Exit status of a child that reached its memory limit and lived to say so."""
OUT_OF_SPACE = 78
"""Exit status of a child that met a full disk."""
BROKEN_MACHINE = 79
"""Exit status of a child that could not read its file or write its report."""
UNCONFINED = 80
"""Exit status of a child that was to be confined, on a system that cannot do it."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def main(content_type: ContentType, limits: ParseLimits) -> None:
    """Parses stdin within limits and reports on stdout. Raises OSError for what is not the document's fault."""
    missing = confine(memory_bytes=limits.memory_bytes, cpu_seconds=limits.cpu_seconds)
    if missing and limits.require_confinement:
        os._exit(UNCONFINED)
    report = os.dup(1)
    # A library that prints must not write into the report.
    os.dup2(2, 1)
    raw = sys.stdin.buffer.read()
    with open(report, "wb") as pipe:  # noqa: PTH123 - a descriptor has no path
        pipe.write(_attempt(raw, content_type, limits))
    # Leave without tearing down what a hostile file may have wrecked.
    os._exit(0)


def parse_bytes(raw: bytes, content_type: ContentType, max_pages: int) -> ParsedDocument:
    """Parses a document with the parser of its type, importing no other. Raises ParseFailure."""
    if not raw:
        raise ParseFailure(FailureReason.EMPTY, "The file is empty.")
    document = _parse(raw, content_type, max_pages)
    if has_words(document.text):
        return document
    return ParsedDocument("", (), (), document.title, document.page_count, document.warnings)


def _parse(raw: bytes, content_type: ContentType, max_pages: int) -> ParsedDocument:
    # ruff: noqa: PLC0415 - each parser is imported only when a document needs it
    match content_type:
        case ContentType.PDF:
            from ingestion.parsers.pdf import parse_pdf

            return parse_pdf(raw, max_pages)
        case ContentType.DOCX:
            from ingestion.parsers.docx import parse_docx

            return parse_docx(raw)
        case ContentType.MARKDOWN:
            from ingestion.parsers.markdown import parse_markdown

            return parse_markdown(raw)
        case ContentType.TEXT:
            from ingestion.parsers.plain import parse_text

            return parse_text(raw)


def _attempt(raw: bytes, content_type: ContentType, limits: ParseLimits) -> bytes:
    """Returns the encoded result of the parse, whatever becomes of it but a full disk (OSError)."""
    try:
        return encode_document(parse_bytes(raw, content_type, limits.max_pages))
    except ParseFailure as failure:
        return encode_failure(failure, _origin(failure.__cause__ or failure))
    except MemoryError:
        raise
    except RecursionError as error:
        limit = ParseFailure(FailureReason.PARSE_LIMIT, "The document is nested too deeply to be read.")
        return encode_failure(limit, _origin(error))
    except Exception as error:
        if _is_full(error):
            raise
        damage = ParseFailure(FailureReason.CORRUPT, "The document is damaged and cannot be read.")
        return encode_failure(damage, _origin(error))


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def _origin(error: BaseException) -> str:
    """Returns the type and places of an error, without its text, which may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown"  # noqa: PTH119
    return f"{type(error).__name__} at {place}"


if __name__ == "__main__":
    try:
        main(ContentType(sys.argv[1]), ParseLimits(**json.loads(sys.argv[2])))
    except MemoryError:
        # No report: writing one would take memory too.
        os._exit(OUT_OF_MEMORY)
    except OSError as trouble:
        os._exit(OUT_OF_SPACE if _is_full(trouble) else BROKEN_MACHINE)
