"""Stored text that enters a prompt or an answer speaks for itself only: it cites nothing and gives no orders.

Look-alikes are sought in a skeleton, a copy of the same length in which every form of an ASCII character is that
character and every invisible one is the same, so that what is found stands at the same place in the text.
"""

import re
import unicodedata

from chat.turn.clean_text import clean

UNSEEN = "\u200b"
GAP = rf"[\s{UNSEEN}]*"
HARMLESS = {"<": "‹", "[": "(", "]": ")"}
# Full-width and small forms, circled letters, and the mathematical alphabets.
FORMS = (*range(0x2070, 0x209D), *range(0x2100, 0x2150), *range(0x24B6, 0x24EA), *range(0xFE50, 0xFE6C))
WIDE_FORMS = (*range(0xFF01, 0xFF5F), *range(0x1D400, 0x1D800))
INVISIBLE = (0xAD, 0x34F, 0x61C, *range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x2060, 0x2066))
INVISIBLE_MARKS = (*range(0x206A, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, *range(0xE0100, 0xE01F0))
TAGS = ("passage", "start_of_turn", "end_of_turn", "tool_call", "tool_response", "function_call", "start_of_role")
ROLES = ("s", "bos", "eos", "system", "user", "assistant", "think")
BRACKETED = ("inst", "system_prompt", "available_tools", "tool_calls", "tool_results")


def make_skeleton_table() -> dict[int, str]:
    """Returns which character stands for which others."""
    table = dict.fromkeys((*INVISIBLE, *INVISIBLE_MARKS), UNSEEN)
    for point in (*FORMS, *WIDE_FORMS):
        plain = unicodedata.normalize("NFKC", chr(point))
        if len(plain) == 1 and plain.isascii():
            table[point] = plain
    return table


def spaced(*words: str) -> str:
    """Returns a pattern of words whose letters may stand apart."""
    return "(?:" + "|".join(GAP.join(map(re.escape, word)) for word in words) + ")"


SKELETON = make_skeleton_table()
NUMBER = r"\d{1,3}"
GRAMMAR = re.compile(
    rf"\[{GAP}{NUMBER}(?:{GAP}[,،;–-]{GAP}{NUMBER})*{GAP}[\]:,،;–-]"  # [1], [1, 2], [1: "...
    rf"|<(?={GAP}\|)"  # <|im_end|>
    rf"|<(?={GAP}/?{GAP}{spaced(*TAGS)})"
    rf"|<(?={GAP}/?{GAP}{spaced(*ROLES)}{GAP}>)"
    rf"|<{GAP}<(?={GAP}/?{GAP}{spaced('sys')})"
    rf"|\[(?={GAP}/?{GAP}{spaced(*BRACKETED)}{GAP}\])",
    re.IGNORECASE,
)


def disarm(text: str) -> str:
    """Returns clean text in which no citation marker, no fence and no chat template is spelled any more.

    Only their brackets change: `[2: "x"]` becomes `(2: "x"]`, `</passage>` becomes `‹/passage>`.
    """
    cleaned = clean(text)
    skeleton = cleaned if cleaned.isascii() else cleaned.translate(SKELETON)
    letters: list[str] | None = None
    for found in GRAMMAR.finditer(skeleton):
        letters = letters or list(cleaned)
        for place in range(*found.span()):
            letters[place] = HARMLESS.get(skeleton[place], letters[place])
    return "".join(letters) if letters else cleaned
