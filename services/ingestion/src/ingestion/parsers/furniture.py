"""Removes what is printed on every page and belongs to none: running heads, page numbers, margins."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ingestion.parsers.lines import Line
from ingestion.text import has_words

NUMBER = re.compile(r"\d{1,4}")
MARGIN_NUMBER = re.compile(r"[A-Za-z]{0,2}(\d{1,3})[A-Za-z]?")
SHORTEST_MARGIN = 10
# Fewer could be the steps or figures of a document that happen to count with its pages.
FEWEST_PAGES = 5
MARK_SHARE = 0.5
DEEPEST_EDGE = 6
SHORTEST_RULE = 8


def remove_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Returns the pages without line numbers in the margin, running heads and feet, and page numbers.

    Only what repeats goes: the same words at the same edge of many pages, or with a number that
    counts with the pages; the first of each stays. A number of any other kind is data and stays.
    """
    kept = [_remove_margin([line for line in page if not _is_ornament(line)]) for page in pages]
    everywhere = _find_marks(kept)
    kept = [[line for line in page if line.text not in everywhere] for page in kept]
    for _ in range(DEEPEST_EDGE):
        common = _find_common(kept)
        trimmed = [_trim(page, number, common) for number, page in enumerate(kept)]
        if trimmed == kept:
            break
        kept = trimmed
    return kept


def _is_ornament(line: Line) -> bool:
    """Tells whether a line is a rule made of a few symbols, over and over."""
    return len(line.text) >= SHORTEST_RULE and not has_words(line.text) and len(set(line.text) - {" "}) <= 4


def _find_marks(pages: Sequence[Sequence[Line]]) -> set[str]:
    """Returns the lines with words that stand, the same, on at least half of the pages, wherever on them."""
    counts = Counter(text for page in pages for text in {line.text for line in page})
    enough = max(FEWEST_PAGES, MARK_SHARE * len(pages))
    return {text for text, count in counts.items() if count >= enough and NUMBER.sub("", text).strip()}


def _remove_margin(page: Sequence[Line]) -> list[Line]:
    """Drops runs of lines that hold nothing but 1, 2, 3 and so on."""
    numbers = [_margin_number(line) for line in page]
    runs = groupby(range(len(page)), key=lambda index: None if numbers[index] is None else numbers[index] - index)  # type: ignore[operator]
    kept: list[Line] = []
    for key, indices in runs:
        run = list(indices)
        if key is None or len(run) < SHORTEST_MARGIN:
            kept += [page[index] for index in run]
    return kept


def _margin_number(line: Line) -> int | None:
    found = MARGIN_NUMBER.fullmatch(line.text)
    return int(found.group(1)) if found else None


def _find_common(pages: Sequence[Sequence[Line]]) -> dict[tuple[int, str], int]:
    """Returns the shapes that enough pages have at an edge, and the first page of each, which keeps it."""
    places: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for number, page in enumerate(pages):
        for edge in (0, -1):
            for shape in _shapes_at(page, edge, number):
                places[edge, shape].append(number)
    return {key: numbers[0] for key, numbers in places.items() if len(numbers) >= FEWEST_PAGES}


def _trim(page: list[Line], number: int, common: Mapping[tuple[int, str], int]) -> list[Line]:
    for edge in (0, -1):
        if any(common.get((edge, shape), number) < number for shape in _shapes_at(page, edge, number)):
            page = page[1:] if edge == 0 else page[:-1]
    return page


def _shapes_at(page: Sequence[Line], edge: int, number: int) -> Iterator[str]:
    """Yields the outermost line as it is, and with its first and its last number counted from the page's."""
    if not page:
        return
    text = page[edge].text
    if NUMBER.sub("", text).strip():
        yield text
    places = [match.span() for match in NUMBER.finditer(text)]
    for start, end in {places[0], places[-1]} if places else ():
        yield f"{text[:start]}\x00{int(text[start:end]) - number}{text[end:]}"
