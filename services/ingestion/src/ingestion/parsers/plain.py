"""Plain text: the file as it is, decoded and put in canonical form."""

import codecs

from ingestion.text import FailureReason, ParsedDocument, ParseFailure, canonicalise

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Above this share of bytes over 127, cp1252 would turn another alphabet's letters into accents.
MOST_WESTERN_ACCENTS = 0.25


def parse_text(raw: bytes) -> ParsedDocument:
    """Returns the text of a file; it has no pages, headings or title. Raises ParseFailure CORRUPT."""
    return ParsedDocument(text=canonicalise(decode_text(raw)), pages=(), headings=(), title="", page_count=0)


def decode_text(raw: bytes, *, partial: bool = False) -> str:
    """Decodes UTF-8, UTF-16 with a byte-order mark, or Windows-1252.

    With ``partial`` raw may end inside a character. Raises ParseFailure CORRUPT for other encodings.
    """
    for mark, encoding in BOMS:
        if raw.startswith(mark):
            return _decode(raw[len(mark) :], encoding, partial=partial)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, not partial)
    except UnicodeDecodeError:
        return _decode_western(raw)


def _decode(raw: bytes, encoding: str, *, partial: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw, not partial)
    except UnicodeDecodeError as error:
        raise _unknown_encoding() from error


def _decode_western(raw: bytes) -> str:
    if len(raw.translate(None, bytes(range(128)))) > len(raw) * MOST_WESTERN_ACCENTS:
        raise _unknown_encoding()
    return _decode(raw, "cp1252", partial=False)


def _unknown_encoding() -> ParseFailure:
    return ParseFailure(
        FailureReason.CORRUPT, "The text is in an unknown encoding. Save it as UTF-8 and upload it again."
    )
