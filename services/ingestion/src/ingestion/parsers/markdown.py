"""Markdown: the source is the canonical text; the headings are found by a CommonMark parser."""

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingestion.parsers.decode import decode_text
from ingestion.text import Heading, ParsedDocument, canonicalise

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
MARKERS = re.compile(r"(?<!\\)[*`~]+|(?<!\w)_+|_+(?!\w)")
LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def parse_markdown(raw: bytes) -> ParsedDocument:
    """Returns the source and its headings; the title is the front matter's, or that of the first heading.

    Raises ParseFailure CORRUPT.
    """
    decoded, warnings = decode_text(raw)
    text = canonicalise(decoded)
    matter = FRONT_MATTER.match(text)
    headings = _find_headings(text, matter.end() if matter else 0)
    title = _read_title(matter.group()) if matter else ""
    return ParsedDocument(
        text=text,
        pages=(),
        headings=headings,
        title=title or next((heading.title for heading in headings), ""),
        page_count=0,
        warnings=warnings,
    )


def _read_title(matter: str) -> str:
    found = TITLE.search(matter)
    return found.group(1).strip("\"'") if found else ""


def _find_headings(text: str, body_start: int) -> tuple[Heading, ...]:
    # Blocks alone: headings are blocks, and inline parsing is where hostile Markdown takes its time.
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["block"])
    tokens = parser.parse(text[body_start:])
    starts = _line_starts(text, body_start)
    return tuple(
        Heading(int(opening.tag[1:]), title, starts[opening.map[0]])
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open" and opening.map and (title := _plain_title(content))
    )


def _plain_title(content: Token) -> str:
    return " ".join(MARKERS.sub("", LINK.sub(r"\1", content.content)).split())


def _line_starts(text: str, body_start: int) -> list[int]:
    starts = [body_start]
    for line in text[body_start:].split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts
