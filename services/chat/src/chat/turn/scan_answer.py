"""Reading an answer as it streams: citation markers are recognised, links to strangers taken out.

Works across delta boundaries and holds back no more than a construct that may still become one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chat.turn import answer_grammar as grammar
from chat.turn.clean_text import TextCleaner
from chat.turn.links import TRAILING, SourceLinks, bare_address, is_remote

MAX_HELD = 600  # characters
LINK_REMOVED = "‹link removed›"


@dataclass(frozen=True)
class Visible:
    """Text to send."""

    text: str


@dataclass(frozen=True)
class Marker:
    """A citation marker, sent as "[number]"; quote is None for the bare form."""

    number: int
    quote: str | None = None


Piece = Visible | Marker


@dataclass(frozen=True)
class Step:
    """What `length` held characters became. `again` is read once more, in front of what follows."""

    length: int
    pieces: tuple[Piece, ...] = ()
    again: str = ""
    is_changed: bool = False


class AnswerScanner:
    """Turns deltas into pieces. Keeps at most MAX_HELD characters back."""

    def __init__(self, sources: SourceLinks) -> None:
        self._sources = sources
        self._cleaner = TextCleaner()
        self._held = ""
        self._last = ""  # the last visible character
        self._is_swallowing = False
        self._is_end = False

    def feed(self, delta: str) -> list[Piece]:
        """Returns the pieces that are certain after one more delta."""
        self._held += self._cleaner.feed(delta)
        return list(merge(self._scan()))

    def finish(self) -> list[Piece]:
        """Returns the pieces of what was still held back; the scanner can go on with a new text afterwards."""
        self._held += self._cleaner.finish()
        self._is_end = True
        pieces = list(merge(self._scan()))
        self._is_end = False
        return pieces

    def _scan(self) -> Iterator[Piece]:
        while self._held:
            if self._is_swallowing and not self._swallow():
                return
            if plain := self._plain_length():
                yield self._show(Visible(self._held[:plain]))
                self._held = self._held[plain:]
                continue
            step = self._read() or (None if self._may_grow() else self._give_up())
            if step is None:
                return
            # Something taken out must not join its neighbours to what it kept apart, as in "<<b x=1>img ...".
            if step.is_changed and self._last in {"<", "!", "["}:
                yield self._show(Visible(" "))
            self._held = step.again + self._held[step.length :]
            yield from (self._show(piece) for piece in step.pieces)

    def _show(self, piece: Piece) -> Piece:
        shown = piece.text if isinstance(piece, Visible) else "]"
        self._last = shown[-1:] or self._last
        return piece

    def _plain_length(self) -> int:
        """Returns how many held characters come before the next opener, or before what may become one."""
        context, skip = self._last + self._held, len(self._last)
        found = grammar.OPENER.search(context, skip)
        if found is None and not self._is_end:
            found = grammar.LATE_OPENER.search(context, skip)
        return found.start() - skip if found else len(self._held)

    def _swallow(self) -> bool:
        """Drops the rest of an address that was too long to hold; returns whether anything follows it."""
        rest = grammar.ADDRESS_REST.match(self._held)
        self._held = self._held[rest.end() if rest else 0 :]
        self._is_swallowing = not self._held
        return bool(self._held)

    def _read(self) -> Step | None:
        match self._held[0]:
            case "[":
                return self._read_link() or self._read_quote_marker() or self._read_marker()
            case "!":
                return self._read_link()
            case "(":
                # Only a whole link that may stay keeps "](" together; a space makes anything else plain text.
                return Step(1, (Visible(" ("),))
            case ":":
                return self._read_definition()
            case "<":
                return self._read_autolink() or self._read_tag()
            case _:
                return self._read_address()

    def _may_grow(self) -> bool:
        if self._is_end or len(self._held) >= MAX_HELD:
            return False
        partials = {
            "[": (grammar.PARTIAL_MARKER, grammar.PARTIAL_QUOTE, grammar.PARTIAL_LINK),
            "!": (grammar.IMAGE_BEGIN, grammar.PARTIAL_LINK),
            ":": (grammar.PARTIAL_DEFINITION,),
            "<": (grammar.PARTIAL_TAG, grammar.PARTIAL_AUTOLINK),
        }.get(self._held[0])
        # Only the beginning of an address is left when it is none of the above.
        return partials is None or any(partial.match(self._held) for partial in partials)

    def _give_up(self) -> Step:
        """Lets the opener pass as text, broken where Markdown or HTML might still be completed behind it."""
        head = self._held[0]
        if head == ":":
            is_foreign = bool(grammar.PARTIAL_DEFINITION.match(self._held)) and is_remote(self._held[1:])
            return Step(1, (Visible(" :" if is_foreign else ":"),))
        if head == "<":
            is_open = grammar.TAG_BEGIN.match(self._held) and not grammar.TAG.match(self._held)
            return Step(1, (Visible("< " if is_open else "<"),))
        address = grammar.ADDRESS.match(self._held)
        if address is None:
            return Step(1, (Visible(head),))
        self._is_swallowing = len(self._held) >= MAX_HELD
        return Step(len(self._held), (Visible(LINK_REMOVED),)) if self._is_swallowing else self._judge(address.group())

    def _read_marker(self) -> Step | None:
        if not (found := grammar.MARKER.match(self._held)):
            return None
        return Step(found.end(), tuple(Marker(number) for number in grammar.expand_numbers(found.group(1))))

    def _read_quote_marker(self) -> Step | None:
        if not (found := grammar.QUOTE_MARKER.match(self._held)):
            return None
        quote = next(group for group in found.groups()[1:] if group is not None)
        return Step(found.end(), (Marker(int(found.group(1)), quote),))

    def _read_link(self) -> Step | None:
        if not (found := grammar.LINK.match(self._held)):
            return None
        label, target = found.groups()
        is_image, is_foreign = found.group().startswith("!"), is_remote(target)
        if not is_image and grammar.MARKER.fullmatch(f"[{label}]"):
            return Step(found.end(), again=f"[{label}]", is_changed=True) if is_foreign else None
        if is_image or (is_foreign and not self._sources.allow(bare_address(target))):
            return Step(found.end(), again=label, is_changed=True)
        # Anything but a plain label and a plain target goes on as text, where its parts are read one by one.
        is_plain = grammar.PLAIN_TARGET.fullmatch(target) or is_foreign
        if is_plain and self._last != "!" and not grammar.OPENER.search(label):
            return Step(found.end(), (Visible(found.group()),))
        return None

    def _read_definition(self) -> Step | None:
        if not (found := grammar.DEFINITION.match(self._held)):
            return None
        return Step(1, (Visible(" :" if is_remote(found.group(1)) else ":"),))

    def _read_autolink(self) -> Step | None:
        if not (found := grammar.AUTOLINK.match(self._held)):
            return None
        if self._sources.allow(found.group(1)):
            return Step(found.end(), (Visible(found.group()),))
        if "::" in found.group(1):  # <std::string> is no address; set apart, it is no link either
            return Step(1, (Visible("< "),))
        return Step(found.end(), (Visible(LINK_REMOVED),), is_changed=True)

    def _read_tag(self) -> Step | None:
        found = grammar.TAG.match(self._held)
        if not found or not grammar.ACTIVE_TAG.match(found.group()):
            return None
        return Step(found.end(), is_changed=True)

    def _read_address(self) -> Step | None:
        found = grammar.ADDRESS.match(self._held)
        return self._judge(found.group()) if found and found.end() < len(self._held) else None

    def _judge(self, address: str) -> Step:
        bare = address.rstrip(TRAILING)
        is_kept = len(bare) <= len("https") or self._sources.allow(bare)
        return Step(len(bare), (Visible(bare if is_kept else LINK_REMOVED),))


def merge(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Joins neighbouring texts into one."""
    text = ""
    for piece in pieces:
        if isinstance(piece, Visible):
            text += piece.text
            continue
        if text:
            yield Visible(text)
            text = ""
        yield piece
    if text:
        yield Visible(text)
