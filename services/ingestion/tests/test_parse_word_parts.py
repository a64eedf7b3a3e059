import io

import docx
import pytest
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml

from ingestion.parsers.docx import parse_docx
from ingestion.text import FailureReason, Heading, ParseFailure, ParseWarning, WarningReason

from .documents import make_docx, replace_part, wrap_body

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CHART = """<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"
 xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:chart>
 <c:title><c:tx><c:rich><a:p><a:r><a:t>Sales </a:t></a:r><a:r><a:t>by year</a:t></a:r></a:p></c:rich></c:tx></c:title>
 <c:plotArea><c:barChart>%s</c:barChart></c:plotArea></c:chart></c:chartSpace>"""
SERIES = """<c:ser><c:tx><c:strRef><c:strCache><c:pt><c:v>%s</c:v></c:pt></c:strCache></c:strRef></c:tx>
 <c:cat><c:strRef><c:strCache><c:pt><c:v>2024</c:v></c:pt><c:pt><c:v>2025</c:v></c:pt></c:strCache></c:strRef></c:cat>
 <c:val><c:numRef><c:numCache>%s</c:numCache></c:numRef></c:val></c:ser>"""


def save(document):
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def relate(document, kind, name, media_type, content):
    part = Part(PackURI(f"/word/{name}"), media_type, content, document.part.package)
    return document.part.relate_to(part, f"{R}/{kind}")


def import_chunk(*chunks):
    """Return a Word file of two paragraphs with chunks (media type, bytes) imported between them."""
    document = docx.Document()
    document.add_paragraph("Before.")
    for number, (media_type, content) in enumerate(chunks):
        relation = relate(document, "aFChunk", f"chunk{number}", media_type, content)
        document.element.body.insert(1 + number, parse_xml(f'<w:altChunk {W} xmlns:r="{R}" r:id="{relation}"/>'))
    document.add_paragraph("After.")
    return save(document)


def test_headers_and_footers_follow_the_text_once():
    document = docx.Document()
    document.add_paragraph("The text.")
    document.sections[0].header.paragraphs[0].text = "Acme BV, Utrecht"
    document.sections[0].footer.paragraphs[0].text = "Confidential"
    document.add_section().header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "Acme BV, Utrecht"
    assert parse_docx(save(document)).text == "The text.\n\nAcme BV, Utrecht\n\nConfidential"


def test_comments_follow_the_text_with_their_authors():
    document = docx.Document()
    run = document.add_paragraph().add_run("The text.")
    document.add_comment(run, "Is that so?", author="Ada")
    document.add_comment(run, "It is.", author="")
    assert parse_docx(save(document)).text == "The text.\n\nAda: Is that so?\n\nIt is."


def test_a_text_box_follows_the_paragraph_that_it_is_in_with_its_headings_and_tables():
    box = """<w:txbxContent><w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>Boxed</w:t></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr>
      </w:tbl></w:txbxContent>"""
    body = f"""<w:p><w:r><w:t>One </w:t></w:r><w:r><mc:AlternateContent
      xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="wps"><w:drawing>{box}
      </w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>
      <w:r><w:t>paragraph.</w:t></w:r></w:p><w:p><w:r><w:t>Next.</w:t></w:r></w:p>"""
    document = parse_docx(replace_part(make_docx([]), "word/document.xml", wrap_body(body)))
    assert document.text == "One paragraph.\n\nBoxed\n\na | b\n\nNext."
    assert document.headings == (Heading(1, "Boxed", document.text.index("Boxed")),)


def test_what_was_moved_is_read_where_it_is_now():
    body = """<w:p><w:moveFrom><w:r><w:t>Moved. </w:t></w:r></w:moveFrom><w:r><w:t>Stays.</w:t></w:r></w:p>
      <w:p><w:moveTo><w:r><w:t>Moved.</w:t></w:r></w:moveTo></w:p>"""
    assert parse_docx(replace_part(make_docx([]), "word/document.xml", wrap_body(body))).text == "Stays.\n\nMoved."


@pytest.mark.parametrize(
    ("series", "text"),
    [
        (
            SERIES % ("Tea", "<c:pt><c:v>5</c:v></c:pt><c:pt><c:v>7</c:v></c:pt>")
            + SERIES % ("Coffee", "<c:pt><c:v>9</c:v></c:pt>"),
            "Sales by year\n | Tea | Coffee\n2024 | 5 | 9\n2025 | 7 | ",
        ),
        ("", "Sales by year"),
    ],
)
def test_a_chart_is_its_title_and_a_table_of_its_figures(series, text):
    document = docx.Document()
    relation = relate(document, "chart", "charts/chart1.xml", "application/xml", (CHART % series).encode())
    drawing = f"""<w:p {W}><w:r><w:t>See the chart.</w:t></w:r><w:r><w:drawing><c:chart r:id="{relation}" xmlns:r="{R}"
      xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"/></w:drawing></w:r></w:p>"""
    document.element.body.insert(0, parse_xml(drawing))
    document.add_paragraph("Next.")
    assert parse_docx(save(document)).text == f"See the chart.\n\n{text.strip()}\n\nNext."


PAGE = """<html><head><title>No</title></head><body><h1>Häuser</h1><script>no()</script><p>One
 <b>line</b>,<br>two.</p>tail</body></html>"""


@pytest.mark.parametrize(
    ("media_type", "content", "text"),
    [
        ("text/html", PAGE.encode(), "Häuser\nOne line,\ntwo.\ntail"),
        ("text/html", b"", ""),
        ("application/xhtml+xml", PAGE.encode("utf-16"), "Häuser\nOne line,\ntwo.\ntail"),
        ("text/plain", "Häuser".encode("cp1252"), "Häuser"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
            make_docx([("Normal", "Imported.")]),
            "Imported.",
        ),
    ],
    ids=["html", "empty", "xhtml", "text", "word"],
)
def test_an_imported_chunk_is_read_at_its_place(media_type, content, text):
    document = parse_docx(import_chunk((media_type, content)))
    assert document.text == "\n\n".join(filter(None, ["Before.", text, "After."]))
    assert document.warnings == ()


def test_a_chunk_of_a_kind_that_is_not_read_is_counted():
    document = parse_docx(import_chunk(("application/rtf", b"{\\rtf1 words}"), ("image/png", b"\x89PNG")))
    assert document.text == "Before.\n\nAfter."
    assert document.warnings == (ParseWarning(WarningReason.UNREAD_PARTS, 2),)


def test_documents_imported_into_one_another_end():
    raw = make_docx([("Normal", "Innermost.")])
    for _ in range(4):
        raw = import_chunk(("application/octet-stream", raw))
    assert parse_docx(raw).text.count("Before.") == 3


@pytest.mark.parametrize(
    "content", ["<w:p>" * 300 + "</w:p>" * 300, f"<w:p><w:r><w:t>{'x' * 10_000_001}</w:t></w:r></w:p>"]
)
def test_a_limit_of_the_reader_is_no_damage(content):
    with pytest.raises(ParseFailure, match="nested too deeply") as caught:
        parse_docx(replace_part(make_docx([]), "word/document.xml", wrap_body(content)))
    assert caught.value.reason is FailureReason.PARSE_LIMIT


def test_a_word_document_that_was_cut_short_is_damaged():
    with pytest.raises(ParseFailure, match="damaged") as caught:
        parse_docx(make_docx([("Normal", "Words.")])[:9000])
    assert caught.value.reason is FailureReason.CORRUPT
