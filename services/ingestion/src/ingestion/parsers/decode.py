"""From the bytes of a text file to its characters: Unicode, damaged Unicode, or an older encoding that is guessed."""

import codecs
import re
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
# So few letters beyond ASCII, of all or at all, are what Western languages have, and show no other encoding either.
FEW_LETTERS, FEW_OF_ALL = 3, 0.05
# Fewer show no encoding at all.
FEWEST_BYTES = 24
SAMPLE_BYTES = 64 * 1024
DOUBLE_BYTES = frozenset({"cp932", "euc_jp", "gb18030", "big5", "cp949"})
SINGLE_BYTES = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "koi8_r", "koi8_u"),
    *("cp866", "iso8859_2", "iso8859_5", "iso8859_6", "iso8859_7", "mac_roman"),
)
# Shares: characters that stand where none would, and of a language's letters those that are as frequent as they should.
MOST_CHAOS, LEAST_COHERENCE = 0.1, 0.4


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
    if beyond_ascii <= max(FEW_LETTERS, FEW_OF_ALL * len(raw)) and beyond_ascii < FEWEST_BYTES:
        return WESTERN
    if beyond_ascii < FEWEST_BYTES:
        raise _unknown_encoding()
    matches = from_bytes(_sample(raw), cp_isolation=[*sorted(DOUBLE_BYTES), *SINGLE_BYTES], enable_fallback=False)
    sure = [match for match in matches if match.chaos <= MOST_CHAOS and _is_coherent(match)]
    # Of double bytes nothing but their chaos tells.
    draw = len(sure) > 1 and sure[0].chaos == sure[1].chaos and {sure[0].encoding, sure[1].encoding} <= DOUBLE_BYTES
    if not sure or draw:
        raise _unknown_encoding()
    return sure[0].encoding


def _is_coherent(match: "CharsetMatch") -> bool:
    return match.encoding in DOUBLE_BYTES or match.coherence >= LEAST_COHERENCE


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
