"""Finding sentences in running text that may come from a PDF, with headings and broken lines between them."""

import re
from dataclasses import dataclass
from itertools import pairwise

# A number glued to the full stop is a footnote's; a capitalised word, the next sentence's where a PDF lost the space.
TERMINATOR = re.compile(
    r"[.!?؟。…]+[\"'”’»)\]]*(?=\s|$)|(?<=[a-z)\"”])[.!?][\"”’)]*\d{1,3}(?=\s)|(?<=[\w)”\"])[:;](?=\s*\n\s*[•▪*–-])|"
    r"(?<=[a-z]{3})[.?!](?=[A-Z][a-z]*\s)"
)
BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
BULLET = re.compile(r"\s*(?:[•▪◦‣*–—-]|\d{1,2}[.)]|#{1,6})\s")
ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|al|fig|figs|eq|sec|ch|no|nos|vol|pp|p|ed|eds|st|mr|mrs|ms|dr|prof|inc|ltd|co|corp|jr|"
    r"sr|u\.s|u\.k|ph\.d|approx|dept|gen|rep|sen|gov|rev|op|cit|ibid)|(?:^|[\s.(])[A-Z])\.$",
    re.IGNORECASE,
)
INITIAL = re.compile(r"(?:^|[\s.(])[A-Z]\.$")
ORDINARY_END = re.compile(r"\b(?:etc|al|inc|co|corp|no)\.$", re.IGNORECASE)
ITEM_NUMBER = re.compile(r"\s*(?:\d+\.)+")
NEXT_OPENS = re.compile(r"\s*[\"'“‘«(\[]*(?:[A-Z0-9]|[^\W\d_A-Za-z])")
LOOK_BACK = 12
SHORT_LINE = 0.6


@dataclass(frozen=True)
class Span:
    """Part [start, end) of a text."""

    start: int
    end: int


def split_sentences(text: str) -> list[Span]:
    """Returns the sentences of a text in order, without the white space around them."""
    spans = []
    for block in _split_blocks(text):
        start = block.start
        for end in _ends(text, block):
            spans.append(_trim(text, start, end))
            start = end
        spans.append(_trim(text, start, block.end))
    return [span for span in spans if span.start < span.end]


def find_last_sentence(text: str) -> int:
    """Returns where the last sentence of a text begins, for a text that ends where a sentence ends."""
    spans = split_sentences(text)
    return spans[-1].start if spans else len(text)


def _trim(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


def _ends(text: str, block: Span) -> list[int]:
    return [
        match.end() for match in TERMINATOR.finditer(text, block.start, block.end) if _ends_sentence(text, match, block)
    ]


def _ends_sentence(text: str, match: re.Match[str], block: Span) -> bool:
    if ITEM_NUMBER.fullmatch(text, block.start, match.end()):
        return False
    before = text[max(0, match.end() - LOOK_BACK) : match.end()]
    if match.group().startswith(".") and len(match.group()) == 1:
        if INITIAL.search(before):
            return False
        if ABBREVIATION.search(before) and not (ORDINARY_END.search(before) and _opens_capital(text, match.end())):
            return False
    return match.end() >= block.end or NEXT_OPENS.match(text, match.end()) is not None


def _opens_capital(text: str, position: int) -> bool:
    # "et al. [3]" and "no. 5" go on; "apples etc. The next" does not.
    following = text[position : position + 3].lstrip()
    return bool(following) and following[0].isupper()


def _split_blocks(text: str) -> list[Span]:
    blocks, start = [], 0
    for match in BLANK_LINE.finditer(text):
        blocks += _split_lines(text, start, match.start())
        start = match.end()
    return blocks + _split_lines(text, start, len(text))


def _split_lines(text: str, start: int, end: int) -> list[Span]:
    """Cuts one paragraph at headings and bullets that stand in it on lines of their own."""
    lines = _lines(text, start, end)
    if len(lines) < 2:
        return [Span(start, end)]
    usual = sorted(line.end - line.start for line in lines)[len(lines) // 2]
    blocks, begin = [], start
    for line, following in pairwise(lines):
        if _breaks(text, line, following, usual):
            blocks.append(Span(begin, line.end))
            begin = following.start
    return [*blocks, Span(begin, end)]


def _lines(text: str, start: int, end: int) -> list[Span]:
    lines = []
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        lines.append(Span(start, stop))
        start = stop + 1
    return lines


def _breaks(text: str, line: Span, following: Span, usual: int) -> bool:
    here, there = text[line.start : line.end].rstrip(), text[following.start : following.end].lstrip()
    if not here or not there:
        return False
    if here.startswith("#") or BULLET.match(there):
        return True
    is_short = len(here) < SHORT_LINE * usual
    return is_short and not here.endswith((",", "-", "‐", "،", ";")) and not there[0].islower()
