"""The line of a page: what every PDF reader yields and every later step works on."""

import re
import unicodedata
from dataclasses import dataclass, replace

from ingestion.text import canonicalise

BLANKS = re.compile(r"[\s\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
# Right-to-left scripts; the first strong letter decides a line's direction.
STRONG = re.compile(r"([^\W\d_])")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Typographic ligatures, Arabic presentation forms and Word's symbol-font bullets: shapes, not letters.
SHAPES = re.compile("[\ufb00-\ufb06\ufb50-\ufdff\ufe70-\ufefc\uf0a7\uf0b7]")
BULLETS = frozenset("\uf0a7\uf0b7")
# TeX sets an accent of its own before its letter, and an i without its dot.
ACCENTS = {"¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303", "ˇ": "\u030c"}
ACCENTED = re.compile("([¨ˆ˜ˇ])([A-Za-zı])")
LINE_END_HYPHEN = re.compile(r"(?<=[^\W_])[-\u2010]\Z")


@dataclass(frozen=True)
class Line:
    """One line in reading order; positions and size in points, from the page's lower left corner.

    ``hyphen`` says that its last word goes on in the next line; the hyphen itself is not in ``text``.
    ``left`` is where a line begins in its reading direction: right-to-left lines are mirrored. ``turn`` is the
    angle of its baseline in whole degrees, anticlockwise; left, right and baseline are measured along and across it.
    """

    text: str
    left: float
    right: float
    baseline: float
    size: float
    bold: bool = False
    hyphen: bool = False
    turn: int = 0

    @property
    def ends_sentence(self) -> bool:
        """Whether the line ends as a sentence, a quotation or an introduction to a list does."""
        return self.text.rstrip("\"'”’»)]0123456789*†‡").endswith((".", "!", "?", ":", "…", "。", "؟", "۔", "！", "？"))


def clean_line(line: Line) -> Line:
    """Returns a line with canonical text, single blanks, letters for shapes, and its hyphen set apart."""
    text = SHAPES.sub(_replace_shape, line.text) if SHAPES.search(line.text) else line.text
    text = BLANKS.sub(" ", canonicalise(ACCENTED.sub(_compose_accent, text))).strip()
    if LINE_END_HYPHEN.search(text):
        line, text = replace(line, hyphen=True), text[:-1]
    if is_right_to_left(text):
        line = replace(line, left=-line.right, right=-line.left)
    return replace(line, text=text)


def is_right_to_left(text: str) -> bool:
    """Tells whether the first letter belongs to a right-to-left script."""
    strong = STRONG.search(text)
    return strong is not None and RIGHT_TO_LEFT.match(strong.group()) is not None


def _replace_shape(match: re.Match[str]) -> str:
    return "•" if match.group() in BULLETS else unicodedata.normalize("NFKC", match.group())


def _compose_accent(match: re.Match[str]) -> str:
    accent, letter = match.groups()
    composed = unicodedata.normalize("NFC", letter.replace("ı", "i") + ACCENTS[accent])
    return composed if len(composed) == 1 else match.group()
