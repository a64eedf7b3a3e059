"""Finds a file's type in its content; the name only tells Markdown from plain text.

The signatures of what must never pass for text are those browsers act on (WHATWG MIME Sniffing,
section 7.1), because a stored file may one day be opened in one.
"""

import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ingestion.parsers.plain import decode_text
from ingestion.text import ContentType, ParseFailure

HEAD_BYTES = 4096
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How Word files with a password begin, and all Office files before 2007, which are not accepted."""
_LOCKED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_PDF_WINDOW = 1024
_PDF_PREFIX = re.compile(rb"[\s\xef\xbb\xbf\x00]*\Z")
_ZIP = b"PK\x03\x04"
_MARKUP = re.compile(
    rb"\s*<(!doctype|html|head|body|svg|\?xml|\?php|script|iframe|style|title|object|embed|link|meta|frameset)\b", re.I
)
# Markdown may well begin with one of these; plain text may not.
_ELEMENT = re.compile(rb"\s*<(?:!--|(?:h1|div|font|table|a|b|br|p|img)\b)", re.I)
_PROGRAM = re.compile(rb"#!\s*/|%!PS|\{\\rtf")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
_BINARY_SUFFIXES = frozenset({".pdf", ".docx", ".doc", ".zip", ".png", ".jpg", ".jpeg", ".gif", ".exe"})
_CONTENT_TYPES = "[Content_Types].xml"
_WORD_MAIN_PART = b"wordprocessingml.document.main+xml"
_MAX_DIRECTORY_BYTES = 1024**2


def sniff_content_type(head: bytes, filename: str) -> ContentType | None:
    """Return the type of a file from its first HEAD_BYTES bytes (all of a shorter file), or None.

    DOCX is only a guess at this point: confirm it with `confirm_content_type` once the file is whole.
    """
    if b"%PDF-" in head[: _PDF_WINDOW + 5]:
        return _sniff_pdf(head)
    if head.startswith((_ZIP, OLE_MAGIC)):
        return ContentType.DOCX
    return _sniff_text(head, PurePosixPath(filename).suffix.lower())


def confirm_content_type(path: Path, content_type: ContentType) -> bool:
    """Tell whether the whole file is what its head promised. Reads the disk: call it in a thread."""
    if content_type is ContentType.DOCX:
        return _is_word_document(path)
    if content_type is ContentType.PDF:
        return True
    return not _holds_controls(path)


def _sniff_pdf(head: bytes) -> ContentType | None:
    prefix = head[: head.index(b"%PDF-")]
    # Anything but blanks before the header is how a page or an archive dresses up as a PDF.
    return ContentType.PDF if _PDF_PREFIX.match(prefix) else None


def _sniff_text(head: bytes, suffix: str) -> ContentType | None:
    markdown = suffix in _MARKDOWN_SUFFIXES
    if not head or suffix in _BINARY_SUFFIXES or not _is_text(head):
        return None
    body = head.lstrip(b"\xef\xbb\xbf")
    if _PROGRAM.match(body) or _MARKUP.match(body) or (_ELEMENT.match(body) and not markdown):
        return None
    return ContentType.MARKDOWN if markdown else ContentType.TEXT


def _is_text(head: bytes) -> bool:
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not utf16 and _CONTROLS.search(head):
        return False
    try:
        # The head may end inside a character: up to three bytes of it may be missing.
        decoded = decode_text(head, partial=True)
    except ParseFailure:
        return False
    return "\x00" not in decoded


def _holds_controls(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return False
        file.seek(0)
        while block := file.read(1024**2):
            if _CONTROLS.search(block):
                return True
    return False


def _is_word_document(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(len(OLE_MAGIC)) == OLE_MAGIC:
            return _is_locked_package(file)
        if not _has_small_directory(file):
            return False
        try:
            with zipfile.ZipFile(file) as archive, archive.open(_CONTENT_TYPES) as part:
                return _WORD_MAIN_PART in part.read(_MAX_DIRECTORY_BYTES)
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
            return False


def _is_locked_package(file: BinaryIO) -> bool:
    """Tell an encrypted modern document from an old one by the name of the stream that holds it."""
    seam = b""
    while block := file.read(1024**2):
        if _LOCKED_PACKAGE in seam + block:
            return True
        seam = block[-len(_LOCKED_PACKAGE) :]
    return False


def _has_small_directory(file: BinaryIO) -> bool:
    """Tell whether the archive's list of parts is small enough to be read in this process."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    directory_bytes = int.from_bytes(tail[end + 12 : end + 16], "little")
    file.seek(0)
    return end >= 0 and directory_bytes <= _MAX_DIRECTORY_BYTES
