"""Finds sentences by punctuation, in the scripts people upload, without a model.

Wrong guesses are cheap here (a chunk begins at an odd place), so the rules are few. Every quantifier
is bounded: a line of a million full stops takes linear time.
"""

import re
import unicodedata
from collections.abc import Iterator

from language.blocks import block_spans
from language.spans import Span, trim

_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
_MARK, _WIDE_MARK = "[.!?…؟۔।॥։።]", "[。！？｡]"
_CLOSER = "[\"'”’»›)\\]}]"
_END = re.compile(
    # The first character alone keeps the search fast; the rest says what has to stand around it.
    r"[.!?…؟۔।॥։።。！？｡\n]"
    # Latin, Greek, Cyrillic, Arabic, Persian, Urdu, Devanagari, Armenian, Ethiopic: a blank follows.
    rf"(?:(?<={_MARK}){_MARK}{{0,7}}{_CLOSER}{{0,4}}(?=\s)"
    # Chinese and Japanese: no blank follows.
    rf"|(?<={_WIDE_MARK}){_WIDE_MARK}{{0,7}}[”’」』）》\"']{{0,4}}"
    # A PDF lost the blank: a footnote's number stands there, or the next sentence.
    r"|(?<=[a-z)\"”][.!?])[\"”’)]{0,4}\d{1,3}(?=\s)|(?<=[a-z]{3}[.?!])(?=[A-Z][a-z]{0,30}\s)"
    # A list item or table row begins.
    r"|(?<=\S\n)(?=[^\S\n]{0,40}(?:[-*+•‣▪◦]|\d{1,3}[.)]|\|)[^\S\n]))"
)
_LAST_WORD = re.compile(r"[^\W_](?:[^\W_]|\.(?=[^\W_]))*\Z")
# Those after which a sentence does not end, even if a capital follows. "etc." and "Inc." may end one.
_ABBREVIATIONS = frozenset(
    word
    for words in (
        "mr mrs ms dr prof st rev hon gen col sgt capt lt sen rep gov mt messrs",
        "eds cf vs v viz approx ca e.g i.e a.k.a et z.b d.h u.a bzw hrsg vgl ggf sog mme mlle sr sra srta dott sig",
    )
    for word in words.split()
)
# These are words, too: they abbreviate only before a number.
_BEFORE_NUMBERS = frozenset(
    "fig figs eq eqs sec sect ch chap vol vols al no nos pp p art app tab ref refs ed nr abb kap bd núm pág".split()  # noqa: SIM905 - a list of words reads best as words
)
_DOTTED = re.compile(r"[A-Z][a-z]?(?:\.[A-Za-z]{1,2})+")  # U.S., Ph.D.
_LONGEST_WORD = 24
# German numbers the days and centuries with a full stop, and its nouns have capitals: "am 31. Oktober". These words
# stand before such a number and hardly before one that ends a sentence.
_ORDINAL = re.compile(
    r"\b(?:am|im|vom|zum|beim|bis|ab|seit|der|die|das|dem|den|des|ihr(?:e[mnrs]?)?|sein(?:e[mnrs]?)?)\s\d{1,2}\Z",
    re.IGNORECASE,
)


def paragraph_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yields the non-blank stretches of text[start:end] between blank lines, trimmed."""
    position = start
    for gap in _PARAGRAPH_BREAK.finditer(text, start, end):
        yield from trim(text, position, gap.start())
        position = gap.end()
    yield from trim(text, position, end)


def sentence_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yields the sentences of the paragraph text[start:end], trimmed; together they hold all but blanks."""
    position = start
    for found in _END.finditer(text, start, end):
        if found.end() > position and _ends_sentence(text, position, found.start(), found.end(), end):
            yield from trim(text, position, found.end())
            position = found.end()
    yield from trim(text, position, end)


def split_sentences(text: str) -> list[Span]:
    """Returns the sentences of a text in reading order, trimmed; headings and list items are sentences of their own."""
    return [
        sentence
        for paragraph in paragraph_spans(text, 0, len(text))
        for block in block_spans(text, *paragraph)
        for sentence in sentence_spans(text, *block)
    ]


def piece_spans(text: str, start: int, end: int, longest: int) -> Iterator[Span]:
    """Yields text[start:end] in pieces of at most ``longest`` characters, cut at lines or words if possible."""
    while end - start > longest:
        cut = _find_cut(text, start, start + longest)
        yield from trim(text, start, cut)
        start = cut
    yield from trim(text, start, end)


def _ends_sentence(text: str, start: int, mark: int, after: int, end: int) -> bool:
    """Whether the punctuation text[mark:after] ends the sentence that began at start."""
    if text[mark] in "\n。！？｡":
        return True
    following = text[after : min(after + 60, end)].lstrip()[:1]
    if following.islower() or following in {".", "…", ",", ";"}:
        return False
    return text[mark] != "." or not _is_abbreviation(
        text, start, mark, before_number=following in "([" or following.isdecimal()
    )


def _is_abbreviation(text: str, start: int, mark: int, *, before_number: bool) -> bool:
    found = _LAST_WORD.search(text[max(start, mark - _LONGEST_WORD) : mark])
    if not found:
        return False
    word = found.group()
    initial = (len(word) == 1 and word.isupper()) or _DOTTED.fullmatch(word) is not None
    opens_item = word.isdecimal() and mark - len(word) <= start + 1
    named = word.lower() in _ABBREVIATIONS or (before_number and word.lower() in _BEFORE_NUMBERS)
    ordinal = word.isdecimal() and _ORDINAL.search(text, max(start, mark - _LONGEST_WORD), mark) is not None
    return initial or opens_item or named or ordinal


def _find_cut(text: str, start: int, limit: int) -> int:
    """Returns where to cut after start: after the last line or word before limit, never inside a letter."""
    for separator in ("\n", " "):
        cut = text.rfind(separator, start + (limit - start) // 4, limit)
        if cut > start:
            return cut
    cut = limit
    while cut > start + 1 and _continues_character(text[cut]):
        cut -= 1
    return cut if cut > start + 1 else limit


def _continues_character(character: str) -> bool:
    joiner = character in "\u200c\u200d" or "\ufe00" <= character <= "\ufe0f"
    return joiner or unicodedata.category(character).startswith("M")
