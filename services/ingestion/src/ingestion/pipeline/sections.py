"""Divides a document at its headings and joins sections too small to stand alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion.text import ParsedDocument

# What the index accepts of a heading path.
DEEPEST_PATH = 16
LONGEST_TITLE = 500


@dataclass(frozen=True)
class Section:
    """Text [start, end) under one heading, up to the next; level 0 and no path before the first."""

    start: int
    end: int
    level: int
    path: tuple[str, ...]


def divide(document: ParsedDocument) -> list[Section]:
    """Returns the sections that hold text, in order; together they are the whole document."""
    headings = document.headings
    first = headings[0].start_offset if headings else len(document.text)
    sections = [Section(0, first, 0, ())] if first else []
    trail: list[tuple[int, str]] = []
    for index, heading in enumerate(headings):
        end = headings[index + 1].start_offset if index + 1 < len(headings) else len(document.text)
        while trail and trail[-1][0] >= heading.level:
            trail.pop()
        trail.append((heading.level, heading.title[:LONGEST_TITLE]))
        if end > heading.start_offset:
            path = tuple(title for _, title in trail[:DEEPEST_PATH])
            sections.append(Section(heading.start_offset, end, heading.level, path))
    return sections


def group_sections(sections: Sequence[Section], tokens: Sequence[int], size: int) -> Iterator[range]:
    """Yields runs of section numbers that are chunked together; most runs are one section.

    What has fewer than a quarter of a chunk's tokens joins what follows it: a subsection of its own
    always, a neighbour of the same parent if both fit one chunk.
    """
    start, total = 0, 0
    for number, section in enumerate(sections):
        if number > start and not _joins(sections[start], section, total, tokens[number], size):
            yield range(start, number)
            start, total = number, 0
        total += tokens[number]
    if sections:
        yield range(start, len(sections))


def common_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Returns the headings that all the paths share, outermost first."""
    shared: list[str] = []
    for titles in zip(*paths, strict=False):
        if len(set(titles)) > 1:
            break
        shared.append(titles[0])
    return tuple(shared)


def _joins(first: Section, section: Section, total: int, tokens: int, size: int) -> bool:
    if total >= size // 4 or section.level < first.level:
        return False
    return section.level > first.level or total + tokens <= size
