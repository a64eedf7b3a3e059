import pytest

from ingestion.parsers.pdf import parse_pdf
from ingestion.parsers.right_to_left import Glyph, read_line

from .documents import make_lettered_pdf

ZWNJ = "\u200c"


def show(visual, *, page_runs_leftwards=True):
    """Read a line whose glyphs stand, from the left, as visual shows them; | parts glyphs that are far apart."""
    glyphs, left = [], 0.0
    for text in visual:
        if text == "|":
            left += 5
            continue
        width = 0.0 if text == ZWNJ else 3.0 if text == " " else 6.0
        glyphs.append(Glyph(text, left, left + width))
        left += width
    return read_line(glyphs, 10, mostly_right_to_left=page_runs_leftwards)


@pytest.mark.parametrize(
    ("visual", "logical"),
    [
        ("تسا", "است"),
        ("تسا نیا", "این است"),
        (f"اه{ZWNJ}باتک", f"کتاب{ZWNJ}ها"),
        ("تسا |نیا", "این است"),
        ("تسا|نیا", "این است"),
        ("ریال ۱۲٬۵۰۰ غلبم", "مبلغ ۱۲٬۵۰۰ لایر"),
        ("12.5 تغلب", "بلغت 12.5"),
        ("%12.5 تغلب", "بلغت 12.5%"),
        ("12.5% הז", "זה 12.5%"),
        ("12-30 מ", "מ 12-30"),
        ("12-30 نم", "من 30-12"),
        ("لمعي HTTP/2 ربع", "عبر HTTP/2 يعمل"),
        (".)12 ةداملا(", "(المادة 12)."),
        (".(12 ةداملا)", "(المادة 12)."),
        ("(f (x نم", "من f (x)"),
        ("»لاق« نم", "من «قال»"),
        (".)12", "12)."),
    ],
)
def test_a_line_that_runs_leftwards_is_read_as_it_was_written(visual, logical):
    assert show(visual) == logical


def test_a_few_words_that_run_leftwards_leave_a_line_as_it_is():
    assert show("we say مالس here", page_runs_leftwards=False) == "we say سلام here"
    assert show("plain words, 12 (of them)", page_runs_leftwards=False) == "plain words, 12 (of them)"


def test_the_order_of_glyphs_in_the_file_says_nothing():
    glyphs = [Glyph(letter, 10.0 * place, 10.0 * place + 10) for place, letter in enumerate("تسا")]
    for order in (glyphs, glyphs[::-1], [glyphs[1], glyphs[0], glyphs[2]]):
        assert read_line(order, 10, mostly_right_to_left=True) == "است"


def test_a_mark_follows_the_letter_that_it_stands_over():
    # The hamza is drawn first and a little to the left of its letter.
    glyphs = [Glyph("\u0654", 11, 12), Glyph("ه", 10, 20), Glyph("ن", 20, 30), Glyph("ا", 0, 10)]
    assert read_line(glyphs, 10, mostly_right_to_left=True) == "نه\u0654ا"


LETTERS = "کتابه سلامو\u0654"
PERSIAN = f"کتاب{ZWNJ}ها و سلام"


def draw(words, matrix="1 0 0 1", *, across=(6.0, 0.0), start=(100.0, 700.0)):
    """Return a content stream that writes words glyph by glyph from the left, as browsers do."""
    parts, (x, y) = [], start
    for letter in reversed(words):
        code = "20" if letter in {" ", ZWNJ} else f"{33 + LETTERS.index(letter):02x}"
        shown = f"BT /F1 10 Tf {matrix} {x} {y} Tm <{code}> Tj ET\n"
        parts.append(f"/Span << /ActualText <FEFF200C> >> BDC\n{shown}EMC\n" if letter == ZWNJ else shown)
        width = 0.0 if letter == ZWNJ else 0.5 if letter == " " else 1.0
        x, y = x + across[0] * width, y + across[1] * width
    return "".join(parts).encode()


@pytest.mark.parametrize(
    ("matrix", "across"),
    [
        ("1 0 0 1", (6.0, 0.0)),
        ("0 1 -1 0", (0.0, 6.0)),
        ("0 -1 1 0", (0.0, -6.0)),
        ("-1 0 0 -1", (-6.0, 0.0)),
    ],
    ids=["upright", "turned left", "turned right", "upside down"],
)
def test_words_that_a_browser_wrote_keep_their_letters_joiners_and_blanks_in_order(matrix, across):
    content = draw(PERSIAN, matrix, across=across, start=(300.0, 400.0))
    assert parse_pdf(make_lettered_pdf(content, LETTERS), 1).text == PERSIAN


def test_the_title_is_in_order_too():
    title, text = draw("کتاب", "2 0 0 2", across=(12.0, 0.0)), draw("سلام و سلام", start=(100.0, 600.0))
    document = parse_pdf(make_lettered_pdf(title + text, LETTERS), 1)
    assert document.title == "کتاب"


def test_what_several_glyphs_stand_for_together_is_read_once():
    pieces = "".join(
        f"BT /F1 10 Tf 1 0 0 1 {x} 700 Tm <{33 + LETTERS.index(letter):02x}> Tj ET\n"
        for x, letter in ((101, "\u0654"), (100, "ه"))
    )
    content = f"/Span << /ActualText <FEFF06470654> >> BDC\n{pieces}EMC\n".encode() + draw("سا", start=(106.0, 700.0))
    assert parse_pdf(make_lettered_pdf(content, LETTERS), 1).text == "ساه\u0654"


def test_what_stands_in_a_form_on_the_page_is_where_the_form_puts_it():
    content = b"q 0.5 0 0 0.5 100 100 cm\n" + draw(PERSIAN, "2 0 0 2", across=(12.0, 0.0)) + b"Q\n"
    assert parse_pdf(make_lettered_pdf(content, LETTERS), 1).text == PERSIAN
