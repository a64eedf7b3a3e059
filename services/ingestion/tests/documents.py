"""Makes small documents in code: what a test reads, it can see here."""

import io
import zipfile
import zlib

import docx
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from pypdf import PdfReader, PdfWriter

_OBJECT = b"%d 0 obj\n%s\nendobj\n"


def make_pdf(pages, *, size=10, sizes=None, title=None):
    """Return a PDF whose pages hold the given lines, in Helvetica of one size or of one for each text."""
    streams = [_draw(lines, size, sizes or {}) for lines in pages]
    raw = assemble_pdf([make_stream(stream) for stream in streams])
    if title is None:
        return raw
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(raw)))
    writer.add_metadata({"/Title": title})
    return _write(writer)


def assemble_pdf(contents):
    """Return a PDF of one page per content stream object."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(contents)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(contents):
        bodies.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * number)
        )
        bodies.append(content)
    return number_objects(bodies)


def number_objects(bodies):
    """Return a PDF of these objects, of which the first is the catalog."""
    raw, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(raw))
        raw += _OBJECT % (number, body)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, entries)
    return raw + head + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(raw))


def _draw(lines, size, sizes):
    parts, height = [], 740.0
    for line in lines:
        points = sizes.get(line, size)
        text = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        if text:
            parts.append(f"BT /F1 {points} Tf 72 {height:.1f} Td ({text}) Tj ET")
        height -= 1.2 * points
    return "\n".join(parts).encode("cp1252")


def make_stream(data, filters=b""):
    """Return a stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), filters, data)


def make_lettered_pdf(content, characters, *, mapped=True, page=b""):
    """Return a PDF of one page in a font F1 of boxes, whose codes from 33 on stand for characters, 32 for a blank.

    Unmapped, the font does not say so. ``page`` holds further entries of the page.
    """
    codes = range(33, 33 + len(characters))
    names = b" ".join(b"/box" for _ in codes)
    lines = "\n".join(
        f"<{code:02x}> <{letter.encode('utf-16-be').hex()}>" for code, letter in zip(codes, characters, strict=True)
    )
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff> "
        f"endcodespacerange {len(characters) + 1} beginbfchar\n<20> <0020>\n{lines}\nendbfchar endcmap end end"
    )
    font = (
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] /FontMatrix [0.001 0 0 0.001 0 0] /FirstChar 32"
        b" /LastChar %d /Widths [300 %s] /Encoding << /Differences [32 /blank %s] >> /CharProcs << /blank 6 0 R"
        b" /box 7 0 R >> /Resources << >> %s >>"
        % (codes[-1], b"600 " * len(codes), names, b"/ToUnicode 8 0 R" if mapped else b"")
    )
    return number_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            font,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> %s >>" % page,
            make_stream(content),
            make_stream(b"300 0 0 0 0 0 d1"),
            make_stream(b"600 0 0 0 600 700 d1 0 0 600 700 re f"),
            make_stream(cmap.encode()),
        ]
    )


def add_outline(raw, items):
    """Return a PDF with bookmarks (title, page index, index of the parent item or None)."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(raw)))
    made = []
    for title, page, parent in items:
        made.append(
            writer.add_outline_item(title=title, page_number=page, parent=None if parent is None else made[parent])
        )
    return _write(writer)


def encrypt_pdf(raw, user_password, owner_password="owner"):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(raw)))
    writer.encrypt(user_password, owner_password, algorithm="AES-256")
    return _write(writer)


def make_bomb_pdf(megabytes):
    """Return a few KB of PDF whose page inflates, twice over, to megabytes of blanks and operators."""
    packer, inner = zlib.compressobj(9), b""
    for _ in range(megabytes):
        inner += packer.compress(b"0 g " * 262_144)
    inner += packer.flush()
    return assemble_pdf([make_stream(zlib.compress(inner, 9), b"/Filter [/FlateDecode /FlateDecode]")])


def _write(writer):
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def make_docx(blocks, *, title="", notes=""):
    """Return a Word file of blocks: (style, text), or a list of rows for a table; notes is XML."""
    document = docx.Document()
    document.core_properties.title = title
    for block in blocks:
        if isinstance(block, list):
            _add_table(document, block)
        else:
            document.add_paragraph(block[1], style=block[0])
    if notes:
        part = Part(PackURI("/word/footnotes.xml"), "application/xml", notes.encode(), document.part.package)
        document.part.relate_to(part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes")
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def _add_table(document, rows):
    table = document.add_table(rows=0, cols=len(rows[0]))
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text


def replace_part(raw, name, content):
    """Return a Word file with one of its parts exchanged."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return target.getvalue()


def wrap_body(body):
    """Return word/document.xml around the XML of a body."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>'
