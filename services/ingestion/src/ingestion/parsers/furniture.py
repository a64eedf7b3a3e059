"""Removes what is printed on every page and belongs to none: running heads, page numbers, numbered margins.

A wrong guess deletes content for good, a missed one leaves a line too much. So the first of everything stays, nothing
goes but at the edges of pages, and what would be much of a document is none of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ingestion.parsers.lines import Line
from ingestion.text import has_words

NUMBER = re.compile(r"\d{1,4}")
MARGIN_NUMBER = re.compile(r"[A-Za-z]{0,2}(\d{1,3})[A-Za-z]?")
SHORTEST_MARGIN = 10
MOST_ACROSS = 0.1
# Fewer could be the steps or figures of a document that happen to count with its pages.
FEWEST_PAGES = 5
DEEPEST_EDGE = 6
# More of a document than this is its text, however often it comes: forms, invoices, tables, test charts.
LARGEST_SHARE = 0.1
# Ems between a running head that counts pages and the text; "Item 7" stands closer to what it heads.
FAR = 1.8
SHORTEST_RULE = 8

Edge = tuple[int, str, int]
"""First or last line of a page (0, -1), its words, and its height on the page in points."""


def remove_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Returns the pages without line numbers in the margin, running heads and feet, and page numbers.

    Only what repeats goes: the same words at the same place at the edge of many pages, or with a number that counts
    with the pages. The first of each stays, no page is emptied, and a number of any other kind is data.
    """
    plain = [[line for line in page if not _is_ornament(line)] or list(page) for page in pages]
    trimmed = _remove_margins(plain)
    for _ in range(DEEPEST_EDGE):
        common = _find_common(trimmed)
        before, trimmed = trimmed, [_trim(page, number, common) for number, page in enumerate(trimmed)]
        if trimmed == before:
            break
    trimmed = [page or plain[number] for number, page in enumerate(trimmed)]
    return trimmed if _count_letters(trimmed) >= (1 - LARGEST_SHARE) * _count_letters(plain) else plain


def _count_letters(pages: Sequence[Sequence[Line]]) -> int:
    return sum(len(line.text) for page in pages for line in page)


def _is_ornament(line: Line) -> bool:
    """Tells whether a line is a rule made of a few symbols, over and over."""
    return len(line.text) >= SHORTEST_RULE and not has_words(line.text) and len(set(line.text) - {" "}) <= 4


def _remove_margins(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Drops runs of lines beside the text that hold nothing but 1, 2, 3 and so on, if many pages have one."""
    runs = [_find_margin(page) for page in pages]
    numbered = [number for number, run in enumerate(runs) if run]
    if len(numbered) < FEWEST_PAGES:
        return [list(page) for page in pages]
    return [
        list(page) if number == numbered[0] else [line for place, line in enumerate(page) if place not in runs[number]]
        for number, page in enumerate(pages)
    ]


def _find_margin(page: Sequence[Line]) -> set[int]:
    numbers = [_margin_number(line) for line in page]
    runs = groupby(range(len(page)), key=lambda place: None if numbers[place] is None else numbers[place] - place)  # type: ignore[operator]
    margin: set[int] = set()
    for key, members in runs:
        run = list(members)
        if key is not None and len(run) >= SHORTEST_MARGIN:
            margin.update(run)
    text = [line for place, line in enumerate(page) if place not in margin]
    left = min((page[place].left for place in margin), default=0.0)
    right = max((page[place].right for place in margin), default=0.0)
    among = sum(line.left < right and line.right > left for line in text)
    # A running head may reach above the margin; the rows of a table reach into a column of its numbers.
    return margin if among <= MOST_ACROSS * len(text) else set()


def _margin_number(line: Line) -> int | None:
    found = MARGIN_NUMBER.fullmatch(line.text)
    return int(found.group(1)) if found else None


def _find_common(pages: Sequence[Sequence[Line]]) -> dict[Edge, int]:
    """Returns the shapes that enough pages have at an edge, and the first page of each, which keeps it."""
    places: defaultdict[Edge, list[int]] = defaultdict(list)
    for number, page in enumerate(pages):
        for edge in (0, -1):
            for shape in _shapes_at(page, edge, number):
                places[shape].append(number)
    return {shape: numbers[0] for shape, numbers in places.items() if len(numbers) >= FEWEST_PAGES}


def _trim(page: list[Line], number: int, common: Mapping[Edge, int]) -> list[Line]:
    for edge in (0, -1):
        if any(common.get(shape, number) < number for shape in _shapes_at(page, edge, number)):
            page = page[1:] if edge == 0 else page[:-1]
    return page


def _shapes_at(page: Sequence[Line], edge: int, number: int) -> Iterator[Edge]:
    """Yields the outermost line as it is, and with its first and its last number counted from the page's."""
    if not page:
        return
    line = page[edge]
    height = round(line.baseline)
    bare = not NUMBER.sub("", line.text).strip()
    if not bare:
        yield edge, line.text, height
    if bare or _stands_apart(page, edge):
        places = [match.span() for match in NUMBER.finditer(line.text)]
        for start, end in {places[0], places[-1]} if places else ():
            shape = f"{line.text[:start]}\x00{int(line.text[start:end]) - number}{line.text[end:]}"
            yield edge, shape, height


def _stands_apart(page: Sequence[Line], edge: int) -> bool:
    """Tells whether the outermost line keeps its distance from the next, as a heading does not."""
    line, neighbour = page[edge], page[1 if edge == 0 else -2] if len(page) > 1 else None
    return neighbour is not None and abs(line.baseline - neighbour.baseline) > FAR * max(line.size, neighbour.size)
