import io
import itertools
import random
import tracemalloc
import zipfile

import pytest

from ingestion.parsers.sniff import HEAD_BYTES, OLE_MAGIC, inspect, sniff_content_type
from ingestion.text import ContentType

from .documents import make_docx, make_pdf

PDF = make_pdf([["words"]])
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def make_zip(parts):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("head", "filename", "expected"),
    [
        (PDF, "a.pdf", ContentType.PDF),
        (PDF, "lies.txt", ContentType.PDF),
        (b"\xef\xbb\xbf\r\n" + PDF, "a.pdf", ContentType.PDF),
        (b"\x1b%-12345X@PJL JOB\r\n" + PDF, "a.pdf", ContentType.PDF),
        (b"Content-Type: application/pdf\r\n\r\n" + PDF, "a.pdf", ContentType.PDF),
        (b"\x00\x01" * 500 + PDF, "a.pdf", ContentType.PDF),
        (make_docx([]), "a.docx", ContentType.DOCX),
        (make_docx([])[:9000], "a.docx", ContentType.DOCX),
        ("Сегодня утром".encode("cp1251"), "a.txt", ContentType.TEXT),
        (OLE_MAGIC, "locked.docx", ContentType.DOCX),
        (b"# Head", "README.md", ContentType.MARKDOWN),
        (b"<p align=center>Hi</p>\n# Head", "README.MD", ContentType.MARKDOWN),
        (b"# Head", "notes.txt", ContentType.TEXT),
        (b"a,b\n1,2", "table.csv", ContentType.TEXT),
        ("سلام دنیا".encode(), "", ContentType.TEXT),
        ("é".encode() * HEAD_BYTES, "cut-inside-a-letter.txt", ContentType.TEXT),
        ("hi\r\n".encode("utf-16"), "a.txt", ContentType.TEXT),
        ("caf\xe9".encode("cp1252"), "a.txt", ContentType.TEXT),
        (b"see <me@example.org>", "a.txt", ContentType.TEXT),
    ],
)
def test_the_content_names_the_type(head, filename, expected):
    assert sniff_content_type(head[:HEAD_BYTES], filename) is expected


@pytest.mark.parametrize(
    ("head", "filename"),
    [
        (b"<!DOCTYPE html><p>x", "a.pdf"),
        (b"<html><script>alert(1)</script>" + PDF, "a.pdf"),
        (b"GIF89a" + PDF, "a.pdf"),
        (b"\x89PNG\r\n\x1a\n" + PDF, "a.pdf"),
        (b"MZ\x90" + PDF, "a.pdf"),
        (b"#!/bin/sh\n" + PDF, "a.pdf"),
        (b"\xef\xbb\xbf \n<script>x</script>" + PDF, "a.pdf"),
        (b"x" * 100 + b"<sCript src=x>" + PDF, "a.pdf"),
        (b"PK\x03\x04junk" + PDF, "a.pdf"),
        (b" " * 1025 + PDF, "late.pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.txt"),
        (b"\n <?xml version='1.0'?><x/>", "a.md"),
        (b"<HTML>", "a.md"),
        (b"<!-- x --><script>", "a.txt"),
        (b"plain words", "a.pdf"),
        (b"plain words", "a.docx"),
        (PNG, "a.png"),
        (PNG, "a.txt"),
        (b"\x7fELF\x02\x01\x01\x00", "a.txt"),
        (b"MZ\x90\x00\x03", "a.txt"),
        (b"#!/bin/sh\nrm -rf", "a.txt"),
        (b"{\\rtf1 words}", "a.txt"),
        (b"%!PS-Adobe-3.0", "a.txt"),
        (b"words\x00words", "a.txt"),
        ("a\x00b".encode("utf-16"), "a.txt"),
        (b"", "a.txt"),
    ],
)
def test_what_is_none_of_the_types_has_none(head, filename):
    assert sniff_content_type(head[:HEAD_BYTES], filename) is None


SLICES = itertools.repeat(64 * 1024)


def fits(raw, content_type, sizes=SLICES):
    inspector, start = inspect(content_type), 0
    while start < len(raw):
        size = next(sizes)
        inspector.feed(raw[start : start + size])
        start += size
    return inspector.confirm()


def draw_sizes(chance, longest):
    while True:
        yield chance.randint(1, longest)


LOCKED = OLE_MAGIC + bytes(1024**2 - 10) + "EncryptedPackage".encode("utf-16-le")
WHOLE_FILES = [
    (make_docx([("Normal", "x")]), ContentType.DOCX, True),
    (b"junk before the archive" + make_docx([]), ContentType.DOCX, True),
    (make_zip({"a.txt": "x"}), ContentType.DOCX, False),
    (make_zip({"[Content_Types].xml": "", "ppt/presentation.xml": ""}), ContentType.DOCX, False),
    (make_zip({"[Content_Types].xml": "", "xl/workbook.xml": "", "keyword/x": ""}), ContentType.DOCX, False),
    (
        make_zip({"[Content_Types].xml": "", "word/document.xml": "", "word/vbaProject.bin": ""}),
        ContentType.DOCX,
        False,
    ),
    (make_zip({"word/document.xml": ""}), ContentType.DOCX, False),
    (make_zip({f"word/{number:0200d}": "" for number in range(5000)}), ContentType.DOCX, False),
    # Cut short; what is left says that it was a Word file.
    (make_docx([])[:-40], ContentType.DOCX, True),
    (make_docx([])[:9000], ContentType.DOCX, True),
    (make_zip({"[Content_Types].xml": "", "xl/workbook.xml": ""})[:-40], ContentType.DOCX, False),
    (b"PK\x03\x04", ContentType.DOCX, False),
    (OLE_MAGIC + bytes(500), ContentType.DOCX, False),
    (LOCKED, ContentType.DOCX, True),
    (PDF, ContentType.PDF, True),
    (b"words " * 5000, ContentType.TEXT, True),
    (b"words " * 5000 + b"\x00", ContentType.TEXT, False),
    ("words\n".encode("utf-16"), ContentType.MARKDOWN, True),
]


@pytest.mark.parametrize(("raw", "content_type", "expected"), WHOLE_FILES)
def test_the_whole_file_must_keep_what_its_head_promised(raw, content_type, expected):
    assert fits(raw, content_type) is expected


def test_it_is_all_the_same_how_a_file_is_cut():
    for seed in range(10):
        chance = random.Random(seed)
        for raw, content_type, expected in WHOLE_FILES:
            longest = chance.choice((7, 3000, 70_000)) if len(raw) < 100_000 else 70_000
            assert fits(raw, content_type, draw_sizes(chance, longest)) is expected, seed


def claim_directory(raw, size, offset):
    """An archive whose last record claims its list of parts to be somewhere else and longer."""
    return raw[:-10] + size.to_bytes(4, "little") + offset.to_bytes(4, "little") + b"\x00\x00"


def test_an_archive_with_an_endless_list_of_parts_costs_next_to_nothing():
    entry = make_zip({"a": ""})[31:-22]
    raw = make_zip({"a": ""})[:31] + entry * (24 * 1024**2 // len(entry)) + make_zip({"a": ""})[-22:]
    # A size that a second reading of the record would miss: its own signature stands where the place should.
    for offset in (31, int.from_bytes(b"PK\x05\x06", "little")):
        hostile = claim_directory(raw, len(raw) - 22 - 31, offset)
        tracemalloc.start()
        assert not fits(hostile, ContentType.DOCX)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 * 1024**2


def test_no_damage_to_an_archive_makes_the_inspection_fail():
    whole = bytearray(make_docx([("Normal", "x")]))
    for seed in range(2000):
        chance, raw = random.Random(seed), whole[:]
        for _ in range(chance.randint(1, 6)):
            # Mostly where the list of parts stands: nothing else is read.
            raw[-chance.randint(1, chance.choice((22, 700, len(raw))))] = chance.choice(
                (0, 0xFF, chance.randrange(256))
            )
        assert fits(bytes(raw), ContentType.DOCX) in (True, False), seed
