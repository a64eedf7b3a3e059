"""Cutting a parsed document into what is stored and indexed."""

from ingestion.model import PreparedText
from ingestion.pipeline.chunk import chunk_document
from ingestion.ports import Tokenizer
from ingestion.text import ParsedDocument
from language.detection import detect_language

TITLE_CHARACTERS = 1000


def prepare_text(
    document: ParsedDocument, filename: str, *, tokenizer: Tokenizer, size: int, overlap: int
) -> PreparedText:
    """Returns the document with its chunks of at most `size` tokens; no chunks if its text is blank."""
    blank = not document.text.strip()
    chunks = [] if blank else chunk_document(document, tokenizer, size=size, overlap=overlap)
    return PreparedText(
        document=document,
        chunks=tuple(chunks),
        title=(document.title.strip() or filename)[:TITLE_CHARACTERS],
        language="" if blank else detect_language(document.text),
        token_count=0 if blank else tokenizer.count(document.text),
    )
