"""Small documents, made here, so that no test needs a file from elsewhere."""

import random
from io import BytesIO

from pypdf import PdfReader, PdfWriter

LINE_HEIGHT = 16


def make_pdf(*pages: str) -> bytes:
    """Returns a PDF with one page for each text (Latin-1); each line of a text is a line on the page."""
    font = 3 + 2 * len(pages)
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()]
    for number, text in enumerate(pages):
        stream = _draw(text)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 {font} 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    return _assemble(objects)


def _draw(text: str) -> bytes:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    lines = " T* ".join(f"({line}) Tj" for line in escaped.splitlines())
    return f"BT /F1 12 Tf {LINE_HEIGHT} TL 72 720 Td {lines} ET".encode("latin-1")


def _assemble(objects: list[bytes]) -> bytes:
    """Returns the file: numbered objects, their offsets, and the trailer (ISO 32000-1, section 7.5)."""
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return out + head + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))


def encrypt_pdf(content: bytes) -> bytes:
    """Returns the PDF so that it opens with a password only."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    writer.encrypt("open sesame")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def break_pdf(content: bytes) -> bytes:
    """Returns a PDF that begins well and is cut off before any page."""
    return content[: content.index(b"/Pages")] + b"\x00" * 64


def make_report(sections: int, seed: int = 1) -> str:
    """Returns Markdown whose every section has a code of its own, `seed-number`, and about 240 words.

    The same arguments give the same text.
    """
    chance = random.Random(seed)
    return "\n\n".join(_make_section(chance, seed, number) for number in range(sections))


def _make_section(chance: random.Random, seed: int, number: int) -> str:
    keeper, place = chance.choice(KEEPERS), chance.choice(PLACES)
    lead = f"The gauge with the code {code_of(seed, number)} was read by the {keeper} of {place}."
    rest = " ".join(_make_sentence(chance) for _ in range(12))
    return f"## Gauge {number}\n\n{lead} {rest}"


def _make_sentence(chance: random.Random) -> str:
    keeper, place, thing = chance.choice(KEEPERS), chance.choice(PLACES), chance.choice(THINGS)
    return (
        f"On day {chance.randrange(1, 366)} the {keeper} of {place} counted {chance.randrange(3, 900)} {thing} "
        f"and wrote the number down before {chance.randrange(6, 22)} o'clock."
    )


def code_of(seed: int, number: int) -> str:
    """Returns the word that only this section holds."""
    return f"zq{seed}x{number:04d}"


KEEPERS = ("warden", "miller", "baker", "ferryman", "archivist", "gardener", "clockmaker", "bell ringer")
PLACES = ("Halden", "Norwick", "Saltmarsh", "Ferrybank", "Upper Thorn", "Greywater", "Lindow", "Castle Moor")
THINGS = ("herons", "barges", "lanterns", "water lilies", "copper coins", "letters", "storm clouds", "otters")
