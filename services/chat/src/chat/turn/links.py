"""Which links an answer may keep. An image or a link can carry what was read out to a stranger (EchoLeak)."""

import html
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
PASSABLE = re.compile(r"(?:https?:|mailto:|www\.)", re.IGNORECASE)
NOISE = re.compile("[\\s\x00-\x20\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff<>\"']")
MOST_DISGUISES = 3  # encodings one inside the other
TRAILING = ".,;:!?)]}'\"»”’"


def is_remote(target: str) -> bool:
    """Whether a browser might take a link's target to another host, whatever it is disguised with."""
    plain = undisguise(target)
    forms = (plain, plain.replace("\\", ""), plain.replace("\\", "/"))
    return any(form.startswith("//") or SCHEME.match(form) for form in forms)


def undisguise(target: str) -> str:
    """Returns a target without entities, percent codes, other forms of letters, and what nobody sees."""
    for _ in range(MOST_DISGUISES):
        target = unquote(html.unescape(target))
    return NOISE.sub("", unicodedata.normalize("NFKC", target))


def bare_address(target: str) -> str:
    """Returns the address of a Markdown target such as `<http://a>`; empty for one with a title or anything else."""
    words = target.split()
    return words[0].strip("<>") if len(words) == 1 else ""


class SourceLinks:
    """The addresses that stand in the passages, and may therefore stand in the answer.

    Other schemes than http, https and mailto run code or open programs (javascript:, data:, vbscript:, file:, ...).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)

    def allow(self, address: str) -> bool:
        """Whether an address is of the web or of mail, undisguised, and stands in a passage, as a whole."""
        if not PASSABLE.match(address):
            return False
        bare = address.rstrip(TRAILING)
        whole = re.compile(re.escape(bare) + r"(?![\w/?#&=%@:~+-])(?!\.\w)") if bare else None
        return whole is not None and any(whole.search(text) for text in self._texts)
