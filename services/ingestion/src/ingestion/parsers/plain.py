"""Plain text: the file as it is, decoded and put in canonical form."""

from ingestion.parsers.decode import decode_text
from ingestion.text import ParsedDocument, canonicalise


def parse_text(raw: bytes) -> ParsedDocument:
    """Returns the text of a file; it has no pages, headings or title. Raises ParseFailure CORRUPT."""
    text, warnings = decode_text(raw)
    return ParsedDocument(canonicalise(text), pages=(), headings=(), title="", page_count=0, warnings=warnings)
