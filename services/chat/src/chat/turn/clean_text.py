"""What a model's output or a title may not bring along: half characters, controls, and orders to turn text around."""

import re

HALF = re.compile("[\ud800-\udfff]")
FIRST_HALF = re.compile("[\ud800-\udbff]$")
SEPARATOR = re.compile("[\x0b\x0c\x1c-\x1f\x85]")  # control characters that white space is made of
# Controls but newline and tab; bidirectional embeddings, overrides and isolates; tag characters, which spell unseen
# words. The joiners ZWNJ and ZWJ and the marks LRM, RLM and ALM stay: Persian is written with them.
UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


def clean(text: str) -> str:
    """Returns text that is whole characters, moves no cursor and reorders nothing around it.

    Surrogates that belong together are joined, others become U+FFFD, since protobuf and PostgreSQL refuse them.
    """
    if text.isprintable():  # which none of them is
        return text
    if HALF.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return UNWANTED.sub("", SEPARATOR.sub(" ", text))


class TextCleaner:
    """Cleans a text that comes in deltas; keeps the first half of a character until the other one follows."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, delta: str) -> str:
        """Returns what is certain after one more delta."""
        text = self._half + delta
        self._half = text[-1:] if FIRST_HALF.search(text) else ""
        return clean(text.removesuffix(self._half))

    def finish(self) -> str:
        """Returns what was still held back."""
        half, self._half = self._half, ""
        return clean(half)
