"""Which links an answer may keep. An image or a link can carry what was read out to a stranger (EchoLeak)."""

import html
import re
from collections.abc import Sequence

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
NOISE = re.compile(r"[\s\x00-\x1f<>\"']")
TRAILING = ".,;:!?)]}'\"»”’"


def is_remote(target: str) -> bool:
    """Whether a browser might take a link's target to another host, whatever it is disguised with."""
    plain = NOISE.sub("", html.unescape(target))
    forms = (plain, plain.replace("\\", ""), plain.replace("\\", "/"))
    return any(form.startswith("//") or SCHEME.match(form) for form in forms)


def bare_address(target: str) -> str:
    """Returns the address of a Markdown target such as `<http://a>`; empty for one with a title or anything else."""
    words = target.split()
    return words[0].strip("<>") if len(words) == 1 else ""


class SourceLinks:
    """The addresses that stand in the passages, and may therefore stand in the answer."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)

    def allow(self, address: str) -> bool:
        """Whether an address stands in a passage, as a whole."""
        bare = address.rstrip(TRAILING)
        whole = re.compile(re.escape(bare) + r"(?![\w/?#&=%@:~+-])(?!\.\w)") if bare else None
        return whole is not None and any(whole.search(text) for text in self._texts)
