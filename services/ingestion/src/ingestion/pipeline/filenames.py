"""File names as metadata: what people see, never a path and never an instruction to a terminal or browser."""

import re
import unicodedata

from ingestion.text import ContentType

MAX_CHARACTERS = 255
# Marks that reorder what follows (Unicode TR36, "bidirectional text spoofing"); joiners stay, Persian needs them.
BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SPACES = re.compile(r"\s+")
NAMES = {
    ContentType.PDF: "document.pdf",
    ContentType.DOCX: "document.docx",
    ContentType.MARKDOWN: "text.md",
    ContentType.TEXT: "text.txt",
}


def clean_filename(sent: str) -> str:
    """Returns the last part of a name without control characters, at most 255 characters; empty if nothing is left."""
    spaced = SPACES.sub(" ", BIDIRECTIONAL.sub("", sent))
    visible = "".join(character for character in spaced if unicodedata.category(character) not in {"Cc", "Cs"})
    name = visible.replace("\\", "/").rpartition("/")[2].strip()
    return "" if name.strip(".") == "" else _shorten(name)


def name_for(content_type: ContentType) -> str:
    """Returns the name of a file that came without one."""
    return NAMES[content_type]


def _shorten(name: str) -> str:
    if len(name) <= MAX_CHARACTERS:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 16:
        return name[:MAX_CHARACTERS]
    return stem[: MAX_CHARACTERS - len(suffix) - 1] + dot + suffix
