"""The nouns of text, which parsers hand to the chunker and the chunker hands on, and the form that all text takes.

Every offset counts Unicode code points in the canonical text of one document version, the same
string that ``GET /v1/documents/{id}/text`` returns, so anyone can check a quote with a slice.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

NEWLINES = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls, surrogates, noncharacters, soft hyphens, byte-order marks and the bidirectional overrides
# that would let a quote reorder the answer around it. Joiners stay: Persian spelling needs them.
UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff\ufff9-\ufffb\ud800-\udfff]"
)
WORD_CHARACTER = re.compile(r"[^\W_]")


class ContentType(StrEnum):
    """The kinds of document that can be parsed, by media type."""

    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    MARKDOWN = "text/markdown"
    TEXT = "text/plain"


class FailureReason(StrEnum):
    """Why a file has no canonical text, as the end state of its document shows it."""

    ENCRYPTED = "ENCRYPTED"
    CORRUPT = "CORRUPT"
    EMPTY = "EMPTY"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    PARSE_LIMIT = "PARSE_LIMIT"


class WarningReason(StrEnum):
    """What of a file that was read could not be."""

    DAMAGED_PAGES = "DAMAGED_PAGES"
    """Pages that cannot be opened; they have no text."""
    UNMAPPED_PAGES = "UNMAPPED_PAGES"
    """Pages much of which is in fonts that do not say which letters they show; a scan of them could be recognised."""
    REPLACED_CHARACTERS = "REPLACED_CHARACTERS"
    """Places with bytes that are no text in the file's encoding; U+FFFD stands for them."""
    UNREAD_PARTS = "UNREAD_PARTS"
    """Parts of a Word file that are missing, outside of it or of a kind that is not read."""
    GUESSED_ENCODING = "GUESSED_ENCODING"
    """The file does not say in which encoding it is, and it is none of Unicode's."""


@dataclass(frozen=True)
class ParseWarning:
    """Something that a document lacks, and how many times."""

    reason: WarningReason
    count: int


@dataclass(frozen=True)
class Page:
    """One page: its number from 1, and the offset of its first character."""

    number: int
    start_offset: int


@dataclass(frozen=True)
class Heading:
    """One heading: its depth from 1, its words, and the offset at which its section starts."""

    level: int
    title: str
    start_offset: int


@dataclass(frozen=True)
class ParsedDocument:
    r"""The canonical text of a file and the places in it.

    ``text`` is NFC with ``\n`` newlines and no control characters; it may be blank when the file
    holds no letters or digits. ``pages`` is empty (and ``page_count`` 0) for types without pages;
    it and ``headings`` are in order of offset.
    """

    text: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]
    title: str
    page_count: int
    warnings: tuple[ParseWarning, ...] = ()


@dataclass(frozen=True)
class Chunk:
    """One passage: ``text`` equals ``canonical[start_offset:end_offset]`` exactly.

    ``page_start`` and ``page_end`` are the pages of its first and last character, 0 for types
    without pages. ``heading_path`` goes from the outermost title to the innermost.
    ``page_break_offsets`` are the absolute offsets of pages that start inside it.
    """

    chunk_index: int
    text: str
    start_offset: int
    end_offset: int
    page_start: int
    page_end: int
    token_count: int
    heading_path: tuple[str, ...]
    page_break_offsets: tuple[int, ...]


class ParseFailure(Exception):
    """Raised when a file cannot become text; trying the same bytes again would not help.

    PARSE_LIMIT is the exception to that: a busy machine can be slow enough to reach a limit.
    """

    def __init__(self, reason: FailureReason, message: str) -> None:
        # Both go to Exception so that the error survives pickling.
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        """Returns the reason and the sentence for people."""
        return f"{self.reason}: {self.message}"


def canonicalise(text: str) -> str:
    r"""Returns text in NFC with ``\n`` newlines and no control characters; tabs stay."""
    return unicodedata.normalize("NFC", UNWANTED.sub("", NEWLINES.sub("\n", text)))


def has_words(text: str) -> bool:
    """Tells whether text holds a letter or digit of any script."""
    return WORD_CHARACTER.search(text) is not None
