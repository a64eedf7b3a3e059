"""From the bytes of a text file to its characters: Unicode, damaged Unicode, or an older encoding that is guessed."""

import codecs
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingestion.text import FailureReason, ParseFailure, ParseWarning, WarningReason

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

UTF_8 = "utf-8"
BOMS = ((codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
REPLACEMENT = "\ufffd"
# A share of characters; with more of them damaged, nobody wants the rest.
MOST_DAMAGE = 0.05
# What switches to double bytes in ISO 2022. Markup may hide between switches, so browsers read next to none of it.
SWITCH = re.compile(rb"\x1b\$(?:[@AB]|[()*+][@-_])")
WESTERN = "cp1252"
# So few letters beyond ASCII show no encoding, and are most often an accent or a quotation mark.
FEW_LETTERS = 3
# Fewer bytes beyond ASCII show no encoding of other letters.
FEWEST_BYTES = 24
SAMPLE_BYTES = 64 * 1024
DOUBLE_BYTES = frozenset({"cp932", "euc_jp", "gb18030", "big5", "cp949"})
# Those of Latin letters differ in a few accents, which only the language of a text tells apart.
CENTRAL = frozenset({"Croatian", "Czech", "Hungarian", "Polish", "Romanian", "Slovak", "Slovene"})
LATIN = {
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "cp1254": frozenset({"Turkish"}),
    "cp1257": frozenset({"Estonian", "Latvian", "Lithuanian"}),
    WESTERN: frozenset(
        {
            "Danish",
            "Dutch",
            "English",
            "Finnish",
            "French",
            "German",
            "Indonesian",
            "Italian",
            "Norwegian",
            "Portuguese",
        }
    )
    | {"Spanish", "Swedish"},
}
OTHERS = (
    *("cp1251", "cp1253", "cp1255", "cp1256", "cp874", "koi8_r", "koi8_u", "cp866"),
    *("iso8859_5", "iso8859_6", "iso8859_7"),
)
# Letters in Windows' encoding of Central Europe, control characters in ISO's.
WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
# Shares: characters that stand where none would, and of a language's letters those that are as frequent as they should.
MOST_CHAOS, LEAST_COHERENCE = 0.1, 0.3
# How much less coherent the right one of two encodings may look.
NEAR = 0.1


def decode_text(raw: bytes) -> tuple[str, tuple[ParseWarning, ...]]:
    """Returns the text in raw, and what was replaced or guessed in it.

    UTF-8 and UTF-16 with a mark are known; other encodings are guessed from what the text would be in them. Raises
    ParseFailure CORRUPT for what none of them makes text of.
    """
    if SWITCH.search(raw):
        raise _unknown_encoding()
    for mark, encoding in BOMS:
        if raw.startswith(mark):
            return _decode_damaged(raw[len(mark) :], encoding)
    try:
        return raw.decode(UTF_8), ()
    except UnicodeDecodeError:
        pass
    text = raw.decode(UTF_8, "replace")
    replaced = text.count(REPLACEMENT)
    # What is not UTF-8 hardly ever holds a valid sequence of it.
    if len(text) - len(text.encode("ascii", "ignore")) >= 2 * replaced:
        return _decode_damaged(raw, UTF_8)
    text, warnings = _decode_damaged(raw, _guess_encoding(raw))
    return text, (*warnings, ParseWarning(WarningReason.GUESSED_ENCODING, 1))


def _decode_damaged(raw: bytes, encoding: str) -> tuple[str, tuple[ParseWarning, ...]]:
    text = raw.decode(encoding, "replace")
    replaced = text.count(REPLACEMENT) - raw.count(REPLACEMENT.encode(encoding, "ignore") or REPLACEMENT.encode())
    if replaced > MOST_DAMAGE * len(text):
        raise _unknown_encoding()
    return text, (ParseWarning(WarningReason.REPLACED_CHARACTERS, replaced),) if replaced > 0 else ()


def _guess_encoding(raw: bytes) -> str:
    # Imported here because few files need it.
    from charset_normalizer import from_bytes  # noqa: PLC0415

    beyond_ascii = len(raw) - len(raw.decode("ascii", "ignore"))
    if beyond_ascii <= FEW_LETTERS:
        return WESTERN
    encodings = [*sorted(DOUBLE_BYTES), *LATIN, *OTHERS]
    matches = from_bytes(_sample(raw), cp_isolation=encodings, enable_fallback=False)
    sure = [match for match in matches if match.chaos <= MOST_CHAOS and _is_coherent(match)]
    # Of double bytes nothing but their chaos tells.
    draw = len(sure) > 1 and sure[0].chaos == sure[1].chaos and {sure[0].encoding, sure[1].encoding} <= DOUBLE_BYTES
    if sure and sure[0].encoding in LATIN:
        return _choose_latin(raw, sure)
    if not sure or draw or beyond_ascii < FEWEST_BYTES:
        raise _unknown_encoding()
    return sure[0].encoding


def _is_coherent(match: "CharsetMatch") -> bool:
    return match.encoding in DOUBLE_BYTES or match.coherence >= LEAST_COHERENCE


def _choose_latin(raw: bytes, matches: Sequence["CharsetMatch"]) -> str:
    """Returns, of encodings in which a text reads about equally well, the one that its language is written in."""
    least = matches[0].coherence - matches[0].chaos - NEAR
    near = [match for match in matches if match.coherence - match.chaos >= least]
    order = list(LATIN)
    if not WINDOWS_ONLY.search(raw):
        order.sort(key=lambda encoding: encoding != "iso8859_2")
    for encoding in order:
        for match in near:
            if encoding in {match.encoding, *match.could_be_from_charset} and match.language in LATIN[encoding]:
                return encoding
    raise _unknown_encoding()


def _sample(raw: bytes) -> bytes:
    """Returns lines with something beyond ASCII in them, as much as tells an encoding."""
    lines: list[bytes] = []
    size = 0
    for line in raw.split(b"\n"):
        if not line.isascii():
            lines.append(line[:SAMPLE_BYTES])
            size += len(lines[-1])
        if size >= SAMPLE_BYTES:
            break
    return b"\n".join(lines)


def _unknown_encoding() -> ParseFailure:
    return ParseFailure(
        FailureReason.CORRUPT, "The text is in an unknown encoding. Save it as UTF-8 and upload it again."
    )
