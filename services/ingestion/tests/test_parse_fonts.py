import pytest

from ingestion.parsers.layout import Lexicon, compose_page
from ingestion.parsers.lines import Line
from ingestion.parsers.pdf import parse_pdf
from ingestion.text import FailureReason, ParseFailure, ParseWarning, WarningReason

from .documents import assemble_pdf, make_lettered_pdf, make_stream

WORDS = ["A line of the text that is as long as lines of a text are,", "and the next one, and more."]


def write(lines, matrix, size=1):
    """Return a content stream of lines whose size a matrix gives, 14 points apart."""
    return "\n".join(
        f"BT /F1 {size} Tf {matrix} 72 {700 - 14 * place} Tm ({line}) Tj ET" for place, line in enumerate(lines)
    ).encode()


def parse(*contents):
    return parse_pdf(assemble_pdf([make_stream(content) for content in contents]), 500)


def test_lines_are_as_large_as_their_matrix_makes_them():
    heading, text = write(["A Heading"], "24 0 0 24"), write([*WORDS] * 3, "10 0 0 10").replace(b" 7", b" 6")
    document = parse(heading + b"\n" + text)
    assert document.title == "A Heading"
    scaled, plain = parse(write(WORDS, "10 0 0 10")), parse(write(WORDS, "1 0 0 1", size=10))
    assert scaled == plain


def test_small_type_written_large_is_not_glued_together():
    # As sizes went by the font alone, these lines of 10 points looked 200 points high, and all on one line.
    lines = ["Name", "Street", "Town"]
    content = "\n".join(
        f"BT /F1 200 Tf 0.05 0 0 0.05 {72 + 30 * place} {700 - 14 * place} Tm ({line}) Tj ET"
        for place, line in enumerate(lines)
    )
    assert parse(content.encode()).text.split() == lines


def test_different_lines_are_never_joined_without_anything_between():
    wide = Line("A title that reaches far", 50, 400, 700, 12)
    for after in (Line("word", 60, 90, 696, 12), Line("word", 60, 90, 700, 12, turn=90)):
        assert compose_page([wide, after], Lexicon([])).text.split()[-2:] == ["far", "word"]


def test_a_page_that_is_turned_reads_like_one_that_is_not():
    turned = [f"BT /F1 10 Tf 0 1 -1 0 {100 + 12 * place} 72 Tm ({line}) Tj ET" for place, line in enumerate(WORDS)]
    assert parse("\n".join(turned).encode()) == parse(write(WORDS, "1 0 0 1", size=10).replace(b"686", b"688"))


CONTROLS = b"BT /F1 10 Tf 72 700 Td <010203040506 20 0708090a0b0c> Tj ET"
UNMAPPED = b"BT /F1 10 Tf 72 700 Td <2123402225 20 2b2d2a2c2f> Tj ET"
NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFG"


def test_a_font_that_names_no_letters_makes_a_document_fail():
    for content in (UNMAPPED, UNMAPPED + UNMAPPED.replace(b"700", b"680")):
        with pytest.raises(ParseFailure, match="fonts do not say") as caught:
            parse_pdf(make_lettered_pdf(content, NAMES, mapped=False), 500)
        assert caught.value.reason is FailureReason.CORRUPT


def test_the_same_font_with_a_map_is_text():
    document = parse_pdf(make_lettered_pdf(UNMAPPED, NAMES), 500)
    assert (document.text, document.warnings) == ("acFbe kmjlo", ())


def test_a_page_in_part_in_such_a_font_keeps_the_rest_and_is_counted():
    other = b"/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    raw = make_lettered_pdf(UNMAPPED + b" BT /F2 10 Tf 72 650 Td (Words) Tj ET", NAMES, mapped=False)
    document = parse_pdf(raw.replace(b"/F1 3 0 R >>", b"/F1 3 0 R %s >>" % other), 500)
    assert document.text == "Words"
    assert document.warnings == (ParseWarning(WarningReason.UNMAPPED_PAGES, 1),)


def test_characters_that_are_left_out_move_no_line():
    # U+0002 is in PDFium's list of characters and not in its text: all that followed was measured places before itself.
    lines = ["a\x02\x02\x02\x02\x02\x02\x02\x02\x02b c d e f g h i j k", "the words", "TITLE"]
    names = sorted({letter for line in lines for letter in line if letter != " "})
    content = "\n".join(
        f"BT /F1 {20 if line == 'TITLE' else 10} Tf 72 {700 - 40 * place} Td <"
        + "".join("20" if letter == " " else f"{33 + names.index(letter):02x}" for letter in line)
        + "> Tj ET"
        for place, line in enumerate(lines)
    )
    assert parse_pdf(make_lettered_pdf(content.encode(), names), 500).title == "TITLE"


def test_a_font_whose_codes_happen_to_be_letters_is_read_with_a_warning():
    content = b"BT /F1 10 Tf 72 700 Td (Words that read) Tj ET"
    characters = [chr(code) for code in range(33, 127)]
    document = parse_pdf(make_lettered_pdf(content, characters, mapped=False), 500)
    assert document.text == "Words that read"
    assert document.warnings == (ParseWarning(WarningReason.UNMAPPED_PAGES, 1),)
