import io
import unicodedata

import pytest

from ingestion.parsers.furniture import remove_furniture
from ingestion.parsers.layout import Lexicon, compose_page
from ingestion.parsers.lines import Line, clean_line
from ingestion.parsers.pypdf_lines import read_with_pypdf
from ingestion.text import FailureReason, ParseFailure

from .documents import encrypt_pdf, make_pdf


def line(text, top=700.0, left=50.0, right=None, **look):
    return clean_line(
        Line(text, left, left + 5 * len(text) if right is None else right, top, look.pop("size", 10), **look)
    )


def compose(*lines):
    return compose_page(lines, Lexicon(lines)).text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("the ﬁrst\u00a0oﬃce", "the first office"),
        ("na¨ıve r¨ole", "naïve röle"),
        ("\uf0b7 item\x07", "• item"),
        ("ﻣﺮﺣﺒﺎ", "مرحبا"),
        ("می\u200cروم", "می\u200cروم"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_shapes_become_letters(raw, clean):
    assert line(raw).text == clean


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("traced com-", "pilers", "traced compilers"),
        ("the Anglo-", "American way", "the Anglo-American way"),
        ("from 1990-", "1995", "from 1990-1995"),
    ],
)
def test_hyphens_at_line_ends(before, after, joined):
    assert compose(line(before, 700), line(after, 688)) == joined


def test_a_known_word_wins_over_the_capital_inside_it():
    words = line("TraceMonkey is what we call it and so on and so forth in all of it", 712)
    assert compose(words, line("as Trace-", 700, right=380), line("Monkey does", 688)).endswith("as TraceMonkey does")


def test_two_known_words_keep_their_hyphen():
    words = line("the story of the thirteenth floor is told here in full and at length", 712)
    assert compose(words, line("his thirteenth-", 700, right=390), line("story window", 688)).endswith(
        "thirteenth-story window"
    )


def test_an_indent_after_a_full_stop_begins_a_paragraph():
    lines = [
        line("Some words that end here.", 700, right=400),
        line("New words", 688, left=70),
        line("go on", 676, right=400),
    ]
    assert compose(*lines) == "Some words that end here.\n\nNew words\ngo on"


def test_right_to_left_lines_are_measured_from_the_right():
    first = line("این سطر تا پایان ستون می‌رود و ادامه دارد", 700, left=100, right=400)
    second = line("و اینجا تمام می‌شود.", 688, left=250, right=400)
    third = line("بند تازه با تورفتگی آغاز می‌شود", 676, left=100, right=380)
    assert compose(first, second, third).count("\n\n") == 1


def test_superscripts_stay_on_their_line_and_a_change_of_type_begins_a_paragraph():
    lines = [
        line("Andreas Gal", 700, right=120),
        line("*, Brendan", 703, left=120, right=180),
        line("Abstract", 688, bold=True),
    ]
    assert compose(*lines) == "Andreas Gal*, Brendan\n\nAbstract"


def test_running_text_goes_on_in_the_next_column():
    left = [line("the text in the left column runs", 112), line("on and on until it reaches its foot", 100)]
    right = [line("and then it continues at the top", 700, left=320)]
    assert compose(*left, *right).endswith("its foot and then it continues at the top")


def test_joined_lines_stay_in_normal_form():
    text = compose(Line("word", 50, 90, 700, 10, hyphen=True), Line("\u0301 mark", 50, 90, 688, 10))
    assert unicodedata.is_normalized("NFC", text)


def test_line_offsets_point_at_the_lines():
    lines = [line("One line."), line("Two line.", 680), line("Three.", 668)]
    page = compose_page(lines, Lexicon(lines))
    assert [page.text.startswith(each.text, offset) for each, offset in zip(lines, page.line_offsets, strict=True)] == [
        True
    ] * 3


def test_rules_of_ornaments_go_and_steps_that_count_with_the_pages_stay():
    pages = [[line("❚❘❙❚❘❙❚❘❙❚"), line(f"Step {number}"), line("Do it.")] for number in range(1, 5)]
    kept = [[each.text for each in page] for page in remove_furniture(pages)]
    assert kept == [[f"Step {number}", "Do it."] for number in range(1, 5)]


def test_pypdf_reads_what_pdfium_cannot_open():
    counted = []
    pages, title = read_with_pypdf(io.BytesIO(make_pdf([["One line.", "Another."]], title="T")), counted.append)
    assert [each.text for each in pages[0]] == ["One line.", "Another."]
    assert (title, counted) == ("T", [1])


def test_pypdf_names_encryption_and_damage():
    for raw, reason in (
        (encrypt_pdf(make_pdf([["a"]]), "pw"), FailureReason.ENCRYPTED),
        (b"%PDF-", FailureReason.CORRUPT),
    ):
        with pytest.raises(ParseFailure) as caught:
            read_with_pypdf(io.BytesIO(raw), lambda count: None)
        assert caught.value.reason is reason
