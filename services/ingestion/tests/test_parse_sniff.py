import io
import zipfile

import pytest

from ingestion.parsers.sniff import HEAD_BYTES, OLE_MAGIC, confirm_content_type, sniff_content_type
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
        (make_docx([]), "a.docx", ContentType.DOCX),
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


@pytest.mark.parametrize(
    ("raw", "content_type", "expected"),
    [
        (make_docx([("Normal", "x")]), ContentType.DOCX, True),
        (make_zip({"a.txt": "x"}), ContentType.DOCX, False),
        (make_zip({"[Content_Types].xml": "presentationml.presentation.main+xml"}), ContentType.DOCX, False),
        (make_zip({f"{number:0200d}": "" for number in range(5000)}), ContentType.DOCX, False),
        (make_docx([])[:-40], ContentType.DOCX, False),
        (b"PK\x03\x04", ContentType.DOCX, False),
        (OLE_MAGIC + bytes(500), ContentType.DOCX, False),
        (OLE_MAGIC + bytes(1024**2 - 10) + "EncryptedPackage".encode("utf-16-le"), ContentType.DOCX, True),
        (PDF, ContentType.PDF, True),
        (b"words " * 5000, ContentType.TEXT, True),
        (b"words " * 5000 + b"\x00", ContentType.TEXT, False),
        ("words\n".encode("utf-16"), ContentType.MARKDOWN, True),
    ],
)
def test_the_whole_file_must_keep_what_its_head_promised(tmp_path, raw, content_type, expected):
    path = tmp_path / "file"
    path.write_bytes(raw)
    assert confirm_content_type(path, content_type) is expected
