"""Finds a file's type in its content; the name only tells Markdown from plain text.

The signatures of what must never pass for text are those browsers act on (WHATWG MIME Sniffing,
section 7.1), because a stored file may one day be opened in one.
"""

import io
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from ingestion.ports import Inspector
from ingestion.text import ContentType

HEAD_BYTES = 4096
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How Word files with a password begin, and all Office files before 2007, which are not accepted."""
LOCKED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
PDF_WINDOW = 1024
# How a page, an archive, a picture or a program dresses up as a PDF. Other junk comes of printers and mail.
DISGUISE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:PK|GIF8|\x89PNG|\xff\xd8\xff|RIFF|BM|MZ|\x7fELF|#!|Rar!|7z\xbc|\x1f\x8b|\xd0\xcf\x11\xe0|\{\\rtf)"
    rb"|.*<[a-z!?/]",
    re.IGNORECASE | re.DOTALL,
)
ZIP = b"PK\x03\x04"
MARKUP = re.compile(
    rb"\s*<(!doctype|html|head|body|svg|\?xml|\?php|script|iframe|style|title|object|embed|link|meta|frameset)\b", re.I
)
# Markdown may well begin with one of these; plain text may not.
ELEMENT = re.compile(rb"\s*<(?:!--|(?:h1|div|font|table|a|b|br|p|img)\b)", re.I)
PROGRAM = re.compile(rb"#!\s*/|%!PS|\{\\rtf")
CONTROLS = bytes((*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F))
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
BINARY_SUFFIXES = frozenset({".pdf", ".docx", ".doc", ".zip", ".png", ".jpg", ".jpeg", ".gif", ".exe"})
CONTENT_TYPES = "[Content_Types].xml"
WORD_FOLDER = "word/"
MACROS = "word/vbaProject.bin"
MAX_DIRECTORY_BYTES = 1024**2
# How the parts that every Word file has begin: a local header (APPNOTE 4.3.7) and a name.
PART = re.compile(rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|word/)", re.DOTALL)
LONGEST_MARK = 60


def sniff_content_type(head: bytes, filename: str) -> ContentType | None:
    """Returns the type of a file from its first HEAD_BYTES bytes (all of a shorter file), or None.

    It is only a guess at this point: have the whole file inspected.
    """
    if b"%PDF-" in head[: PDF_WINDOW + 5]:
        return _sniff_pdf(head)
    if head.startswith((ZIP, OLE_MAGIC)):
        return ContentType.DOCX
    return _sniff_text(head, PurePosixPath(filename).suffix.lower())


def inspect(content_type: ContentType) -> Inspector:
    """Returns what tells at the end of a file whether it is of the type that its head promised.

    Nothing is inflated and nothing parsed but an archive's list of names: the rest is the sandbox's.
    """
    match content_type:
        case ContentType.PDF:
            return _Believer()
        case ContentType.DOCX:
            return _WordInspector()
        case ContentType.MARKDOWN | ContentType.TEXT:
            return _TextInspector()


def _sniff_pdf(head: bytes) -> ContentType | None:
    prefix = head[: head.index(b"%PDF-")]
    return None if DISGUISE.match(prefix) else ContentType.PDF


def _sniff_text(head: bytes, suffix: str) -> ContentType | None:
    markdown = suffix in MARKDOWN_SUFFIXES
    if not head or suffix in BINARY_SUFFIXES or not _is_text(head):
        return None
    body = head.lstrip(b"\xef\xbb\xbf")
    if PROGRAM.match(body) or MARKUP.match(body) or (ELEMENT.match(body) and not markdown):
        return None
    return ContentType.MARKDOWN if markdown else ContentType.TEXT


def _is_text(head: bytes) -> bool:
    if head.startswith(UTF16_MARKS):
        # Which bytes make a character is the parser's to say; a zero in the text is none in either order.
        return "\x00" not in head.decode("utf-16", "replace")
    return not _holds_controls(head)


def _holds_controls(data: bytes) -> bool:
    # Several times faster than a regular expression, and every byte of every text passes here.
    return len(data.translate(None, CONTROLS)) != len(data)


class _Believer:
    """A PDF shows itself in its head."""

    def feed(self, data: bytes) -> None:
        pass

    def confirm(self) -> bool:
        return True


class _TextInspector:
    """Text holds no control characters, unless it is UTF-16."""

    def __init__(self) -> None:
        self._mark = b""
        self._controls = False

    def feed(self, data: bytes) -> None:
        self._mark += data[: 2 - len(self._mark)]
        self._controls = self._controls or _holds_controls(data)

    def confirm(self) -> bool:
        return self._mark in UTF16_MARKS or not self._controls


class _WordInspector:
    """A Word file is a zip archive with a folder of Word's, or such a file behind a password.

    The end of the file is kept, in which the names of an archive's parts stand. It is all that
    zipfile gets to see, so whatever sizes and places a hostile archive claims, no more is read.
    """

    def __init__(self) -> None:
        self._end = bytearray()
        self._is_ole: bool | None = None
        self._is_locked = False
        self._begun: set[bytes] = set()

    def feed(self, data: bytes) -> None:
        seam = max(len(self._end) - LONGEST_MARK, 0)
        self._end += data
        if self._is_ole is None and len(self._end) >= len(OLE_MAGIC):
            self._is_ole = self._end.startswith(OLE_MAGIC)
        # An encrypted modern document is told from an old one by the name of the stream that holds it.
        self._is_locked = self._is_locked or (bool(self._is_ole) and self._end.find(LOCKED_PACKAGE, seam) >= 0)
        self._begun.update(match.group(1) for match in PART.finditer(self._end, seam))
        del self._end[:-MAX_DIRECTORY_BYTES]

    def confirm(self) -> bool:
        if self._is_ole:
            return self._is_locked
        names = _read_names(bytes(self._end))
        # A file cut short has lost its list of names: the parser says that it is damaged.
        return len(self._begun) == 2 if names is None else _are_word_parts(names)


def _read_names(end: bytes) -> list[str] | None:
    """Returns the names of an archive's parts, None if its end does not list them."""
    try:
        with zipfile.ZipFile(io.BytesIO(end)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, OverflowError, struct.error):
        return None


def _are_word_parts(names: Sequence[str]) -> bool:
    # The parts' types would say it exactly, but stand inside one of them, compressed.
    return CONTENT_TYPES in names and MACROS not in names and any(name.startswith(WORD_FOLDER) for name in names)
