import pytest

from ingestion.parsers.lines import Line, clean_line
from ingestion.parsers.pdf import parse_pdf
from ingestion.parsers.pdfium_fields import place_fields

from .documents import make_stream, number_objects

FORM = b"BT /F1 10 Tf 72 700 Td (Name) Tj 0 -40 Td (Notes) Tj 0 -100 Td (The end.) Tj ET"


def make_form(*widgets, content=FORM, rotation=0):
    """Return a PDF of one page with these annotations, all of them fields of its form that are fields at all."""
    numbers = range(6, 6 + len(widgets))
    listed = b" ".join(b"%d 0 R" % number for number in numbers)
    fields = b" ".join(b"%d 0 R" % number for number, widget in zip(numbers, widgets, strict=True) if b"/FT" in widget)
    return number_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>" % fields,
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Rotate %d"
            b" /Resources << /Font << /F1 3 0 R >> >> /Annots [%s] >>" % (rotation, listed),
            make_stream(content),
            *(b"<< /Type /Annot %s >>" % widget for widget in widgets),
        ]
    )


def widget(kind, value, box=b"120 695 300 712", more=b""):
    return b"/Subtype /Widget /FT /%s /T (%s%d) /V %s /Rect [%s] /F 4 %s" % (kind, kind, hash(box), value, box, more)


def read(*widgets, **page):
    """Return the words of a page, however they are parted."""
    return " ".join(parse_pdf(make_form(*widgets, **page), 1).text.split())


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (widget(b"Tx", b"(Ada Lovelace)"), "Ada Lovelace"),
        (widget(b"Tx", b"<FEFF0633064406270645>"), "سلام"),
        (widget(b"Ch", b"(Blue)", more=b"/Ff 131072 /Opt [(Red) (Blue)]"), "Blue"),
        (widget(b"Ch", b"(b)", more=b"/Opt [[(r) (Red)] [(b) (Blue)]]"), "Blue"),
        (widget(b"Btn", b"/Female", more=b"/AS /Female /AP << /N << /Female 5 0 R /Off 5 0 R >> >>"), "☑ Female"),
        (b"/Subtype /FreeText /Contents (Approved, A.L.) /Rect [120 695 300 712] /F 4", "Approved, A.L."),
    ],
    ids=["text", "persian", "combo box", "list box", "check box", "free text"],
)
def test_a_value_follows_its_label(field, shown):
    assert read(field) == f"Name {shown} Notes The end."


@pytest.mark.parametrize(
    "field",
    [
        widget(b"Tx", b"(hunter2)", more=b"/Ff 8192"),
        widget(b"Btn", b"/Off", more=b"/AS /Off /AP << /N << /Yes 5 0 R /Off 5 0 R >> >>"),
        widget(b"Btn", b"(Push)", more=b"/Ff 65536"),
        widget(b"Tx", b"( )"),
        b"/Subtype /FreeText /Contents (Hidden) /Rect [120 695 300 712] /F 2",
        b"/Subtype /Text /Contents (A sticky note) /Rect [120 695 140 712] /F 4",
    ],
    ids=["password", "unticked", "button", "blank", "hidden", "note"],
)
def test_what_is_empty_hidden_or_secret_is_left_out(field):
    assert read(field) == "Name Notes The end."


def test_the_lines_of_a_field_stand_below_its_label():
    notes = widget(b"Tx", b"(First line.\\nSecond line.)", b"72 600 300 650", b"/Ff 4096")
    assert read(notes) == "Name Notes First line. Second line. The end."


def test_a_form_that_holds_nothing_else_has_text():
    assert read(widget(b"Tx", b"(Only this)"), content=b"") == "Only this"


def test_a_value_follows_its_label_on_a_page_that_is_turned():
    content = b"BT /F1 10 Tf 0 1 -1 0 92 72 Tm (Name) Tj ET BT /F1 10 Tf 0 1 -1 0 192 72 Tm (The end.) Tj ET"
    field = widget(b"Tx", b"(Ada)", b"80 120 97 300")
    assert read(field, content=content, rotation=90) == "Name Ada The end."


def test_a_value_that_its_parent_holds_is_read():
    raw = make_form(widget(b"Tx", b"(Ada)"))
    kid = b"/Subtype /Widget /Parent 7 0 R /Rect [120 695 300 712] /F 4"
    parent = b"/FT /Tx /T (name) /V (Ada) /Kids [6 0 R] /Subtype /None"
    assert parse_pdf(make_form(kid, parent), 1).text.startswith("Name Ada")
    assert parse_pdf(raw, 1).text.startswith("Name Ada")


def test_values_of_a_row_stay_in_their_order():
    label = Line("Date and place", 50, 120, 700, 10)
    below = Line("Next", 50, 70, 680, 10)
    values = [Line("Paris", 260, 300, 699, 10), Line("1 May", 150, 200, 699, 10)]
    assert [line.text for line in place_fields(values, [label, below])] == ["Date and place", "1 May", "Paris", "Next"]


def test_a_value_stands_to_the_left_of_a_label_that_runs_leftwards():
    label, other = (clean_line(Line(text, left, left + 50, 700, 10)) for text, left in (("نام", 500), ("تاریخ", 300)))
    values = [clean_line(Line(text, left, left + 60, 700, 10)) for text, left in (("۱۴۰۲", 200), ("سارا", 420))]
    assert [line.text for line in place_fields(values, [label, other])] == ["نام", "سارا", "تاریخ", "۱۴۰۲"]
