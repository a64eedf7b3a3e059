"""Finds headings in a PDF: from its outline, or else from what the lines look like."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingestion.parsers.lines import Line

NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=[^\W\d_])")
# Bookmarks and pages often number the same heading in different ways.
LEADING_NUMBER = re.compile(r"(?:chapter|part|section)?\s*\d[\d.]*\s*[:.)–—-]*\s*(?=\D)", re.IGNORECASE)
CAPTION = re.compile(r"(?:fig(?:ure|\.)?|table|listing|algorithm)\s*\d", re.IGNORECASE)
LONGEST = 150
MOST_LINES = 3
LETTER_OR_DIGIT = re.compile(r"[^\W_]+")
# More of a text than this set in bold or large type is a design, not a structure.
LARGEST_SHARE = 0.15


@dataclass(frozen=True)
class OutlineItem:
    """A bookmark: its depth from 1, title and page index from 0."""

    level: int
    title: str
    page_index: int


@dataclass(frozen=True)
class Place:
    """A heading and the line it starts at: page index and line index from 0."""

    level: int
    title: str
    page_index: int
    line_index: int


def place_outline(items: Sequence[OutlineItem], pages: Sequence[Sequence[Line]]) -> list[Place]:
    """Returns the bookmarks at the lines that show their titles, or at the tops of their pages."""
    places = [
        Place(item.level, item.title, item.page_index, _find_title(item.title, pages[item.page_index]))
        for item in items
        if item.page_index < len(pages)
    ]
    return sorted(places, key=lambda place: (place.page_index, place.line_index))


def find_headings(pages: Sequence[Sequence[Line]]) -> list[Place]:
    """Returns headings by type size and weight; by numbering alone where all type is the same."""
    body = _body_size(pages)
    candidates = [place for place in _join_candidates(pages, body) if _is_plausible(place.title)]
    letters = sum(len(line.text) for page in pages for line in page)
    if not candidates or sum(len(place.title) for place in candidates) > LARGEST_SHARE * letters:
        candidates = [place for place in _single_lines(pages) if _is_plausible(place.title)]
        return list(_follow_numbers(candidates))
    return _rank(candidates, pages)


def find_title(page: Sequence[Line]) -> str:
    """Returns the words in the largest type of a first page, if they stand out from the rest."""
    sizes = Counter[float]()
    for line in page:
        sizes[round(line.size)] += len(line.text)
    if len(sizes) < 2:
        return ""
    largest = max(sizes)
    title = " ".join(line.text for line in page if round(line.size) == largest)
    stands_out = largest >= 1.25 * sizes.most_common(1)[0][0] and len(title) <= 2 * LONGEST
    is_section = NUMBERED.match(title) is not None
    return title if stands_out and not is_section and _is_plausible(title[:LONGEST]) else ""


def _find_title(title: str, page: Sequence[Line]) -> int:
    wanted = _fold(LEADING_NUMBER.sub("", title))
    for index, line in enumerate(page):
        found = _fold(line.text)
        if (
            wanted
            and found in wanted
            and _fold(" ".join(member.text for member in page[index : index + 3])).startswith(wanted)
        ):
            return index
        if wanted and found.endswith(wanted) and len(line.text) <= LONGEST:
            return index
    return 0


def _fold(text: str) -> str:
    return "".join(LETTER_OR_DIGIT.findall(text.casefold()))


def _body_size(pages: Sequence[Sequence[Line]]) -> float:
    sizes = Counter[float]()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text) * (not line.bold)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _stands_out(line: Line, body: float) -> bool:
    return line.size > 1.08 * body or (line.bold and line.size > 0.95 * body)


def _join_candidates(pages: Sequence[Sequence[Line]], body: float) -> Iterator[Place]:
    """Yields runs of at most three lines of one look that stands out from the body."""
    for page_index, page in enumerate(pages):
        run: list[Line] = []
        for line_index, line in enumerate([*page, None]):
            if line and run and _goes_on(run[-1], line):
                run.append(line)
                continue
            if run and len(run) <= MOST_LINES:
                yield Place(0, " ".join(member.text for member in run), page_index, line_index - len(run))
            run = [line] if line and _stands_out(line, body) else []


def _goes_on(before: Line, after: Line) -> bool:
    same_look = before.bold == after.bold and abs(before.size - after.size) < 0.5
    return same_look and abs(before.baseline - after.baseline) < 1.7 * after.size and not NUMBERED.match(after.text)


def _single_lines(pages: Sequence[Sequence[Line]]) -> Iterator[Place]:
    for page_index, page in enumerate(pages):
        for line_index, line in enumerate(page):
            if NUMBERED.match(line.text):
                yield Place(0, line.text, page_index, line_index)


def _is_plausible(title: str) -> bool:
    letters = sum(character.isalpha() for character in title)
    if CAPTION.match(title):
        return False
    return letters >= 3 and len(title) <= LONGEST and letters > 0.5 * len(title) and title[-1:] not in ".,;:-"


def _follow_numbers(places: Sequence[Place]) -> Iterator[Place]:
    """Yields the headings whose numbers follow one another as those of sections do: 1, 1.1, 1.2, 2."""
    last: tuple[int, ...] = (0,)
    for place in places:
        found = NUMBERED.match(place.title)
        number = tuple(int(part) for part in found.group(1).split(".")) if found else ()
        if number and _succeeds(number, last) and place.title[found.end()].isupper():  # type: ignore[union-attr]
            last = number
            yield replace(place, level=len(number))


def _succeeds(number: tuple[int, ...], last: tuple[int, ...]) -> bool:
    if len(number) == len(last) + 1:
        return number == (*last, 1)
    depth = len(number)
    return depth <= len(last) and number[:-1] == last[: depth - 1] and number[-1] == last[depth - 1] + 1


def _rank(candidates: Sequence[Place], pages: Sequence[Sequence[Line]]) -> list[Place]:
    """Gives each heading its depth: that of its number, or the place of its type size among all."""
    sizes = [round(pages[place.page_index][place.line_index].size) for place in candidates]
    order = {size: min(index + 1, 4) for index, size in enumerate(sorted(set(sizes), reverse=True))}
    depths = dict(order)
    for place, size in zip(candidates, sizes, strict=True):
        if found := NUMBERED.match(place.title):
            depths[size] = min(depths[size], found.group(1).count(".") + 1)
    return [replace(place, level=_depth(place, depths[size])) for place, size in zip(candidates, sizes, strict=True)]


def _depth(place: Place, fallback: int) -> int:
    found = NUMBERED.match(place.title)
    return found.group(1).count(".") + 1 if found else fallback
