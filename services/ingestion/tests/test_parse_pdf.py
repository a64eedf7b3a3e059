import brotli
import pytest

from ingestion.parsers.pdf import parse_pdf
from ingestion.text import FailureReason, Heading, ParseFailure, ParseWarning, WarningReason

from .documents import add_outline, assemble_pdf, encrypt_pdf, make_pdf, make_stream

WRAPPED = [
    "A tracing compiler records the path that a program takes through a loop and then com-",
    "piles that path to machine code, because most of the time of most programs is spent in",
    "hot loops.",
]
NEXT = ["", "Other paths follow later, when they have become hot themselves."]


def parse(raw, max_pages=500):
    return parse_pdf(raw, max_pages)


def failure_of(raw, max_pages=500):
    with pytest.raises(ParseFailure) as caught:
        parse(raw, max_pages)
    return caught.value.reason


def test_wrapped_lines_become_one_paragraph_and_a_broken_word_is_mended():
    document = parse(make_pdf([WRAPPED + NEXT]))
    first, second = document.text.split("\n\n")
    assert "and then compiles that path" in first
    assert "spent in hot loops." in first
    assert second.startswith("Other paths")


def test_each_page_begins_at_its_offset_after_a_blank_line():
    document = parse(make_pdf([["First page here."], ["Second page here."], ["Third page here."]]))
    assert document.text == "First page here.\n\nSecond page here.\n\nThird page here."
    assert [(page.number, document.text[page.start_offset :].split()[0]) for page in document.pages] == [
        (1, "First"),
        (2, "Second"),
        (3, "Third"),
    ]
    assert document.page_count == 3


def test_a_page_without_text_keeps_its_number():
    document = parse(make_pdf([["One."], [], ["Three."]]))
    assert document.text[document.pages[2].start_offset :] == "Three."


def test_lines_that_were_meant_to_be_short_stay_lines():
    address = ["A line of ordinary running text that reaches all the way to the right", "12 Short Street", "Utrecht"]
    assert "12 Short Street\nUtrecht" in parse(make_pdf([address])).text


def test_headings_are_found_by_their_larger_type():
    lines = ["1. Introduction", *WRAPPED, "1.1 Traces", *WRAPPED, "Figure 1. Not a heading", *WRAPPED]
    sizes = {"1. Introduction": 14, "1.1 Traces": 12, "Figure 1. Not a heading": 12}
    document = parse(make_pdf([lines], sizes=sizes))
    assert [(heading.level, heading.title) for heading in document.headings] == [
        (1, "1. Introduction"),
        (2, "1.1 Traces"),
    ]
    assert all(document.text.startswith(heading.title, heading.start_offset) for heading in document.headings)


def test_headings_in_body_type_are_found_by_numbers_that_follow_one_another():
    lines = ["1. Introduction", *WRAPPED, "7. No Successor", *WRAPPED, "1.1 Traces", *WRAPPED, "2. Trees", *WRAPPED]
    document = parse(make_pdf([lines]))
    assert [(heading.level, heading.title) for heading in document.headings] == [
        (1, "1. Introduction"),
        (2, "1.1 Traces"),
        (1, "2. Trees"),
    ]


def test_bookmarks_become_headings_where_their_titles_stand():
    raw = make_pdf([["Preface", *WRAPPED], [*WRAPPED, "1. Beginnings", *WRAPPED]])
    document = parse(add_outline(raw, [("Preface", 0, None), ("Chapter 1: Beginnings", 1, None), ("Gone", 1, 1)]))
    start = document.text.index("1. Beginnings")
    assert document.headings == (
        Heading(1, "Preface", 0),
        Heading(2, "Gone", document.pages[1].start_offset),
        Heading(1, "Chapter 1: Beginnings", start),
    )


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("The Stored Title", "The Stored Title"),
        ("paper.dvi", "The Largest Words"),
        ("Microsoft Word - x", "The Largest Words"),
    ],
)
def test_the_title_is_the_stored_one_unless_a_program_made_it_up(stored, expected):
    raw = make_pdf([["The Largest Words", *WRAPPED]], sizes={"The Largest Words": 20}, title=stored)
    assert parse(raw).title == expected


def test_a_compound_keeps_its_hyphen_if_the_document_writes_it_so():
    lines = [
        "The mixed-mode engine is what we describe in this and in all of the other sections: mixed-",
        "mode it is.",
    ]
    assert parse(make_pdf([lines])).text.endswith("mixed-mode it is.")


def test_a_password_is_needed_or_not():
    raw = make_pdf([["Secret words here."]])
    assert failure_of(encrypt_pdf(raw, "open sesame")) is FailureReason.ENCRYPTED
    assert parse(encrypt_pdf(raw, "")).text == "Secret words here."


def test_pages_are_counted_before_they_are_read():
    assert failure_of(make_pdf([["x"]] * 4), max_pages=3) is FailureReason.TOO_MANY_PAGES


@pytest.mark.parametrize("raw", [b"%PDF-1.4\n%%EOF", b"%PDF-1.7\n" + b"\x00\xff" * 500, make_pdf([["a"]])[:60]])
def test_a_damaged_file_is_corrupt(raw):
    assert failure_of(raw) is FailureReason.CORRUPT


def test_a_file_cut_short_is_corrupt_wherever_it_is_cut():
    raw = make_pdf([["Words that do not survive the cut."]])
    assert {failure_of(raw[:length]) for length in range(20, len(raw) - 120, 29)} == {FailureReason.CORRUPT}


def test_a_page_that_is_packed_by_brotli_is_read():
    packed = make_stream(brotli.compress(b"BT /F1 10 Tf 72 700 Td (Packed words.) Tj ET"), b"/Filter /BrotliDecode")
    assert parse(assemble_pdf([packed])).text == "Packed words."


@pytest.mark.parametrize("junk", [b"\x1b%-12345X@PJL JOB\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\x01" * 500])
def test_junk_before_the_header_does_no_harm(junk):
    assert parse(junk + make_pdf([["Words."]])).text == "Words."


def test_a_damaged_page_leaves_the_others_readable():
    raw = make_pdf([["First."], ["Second."], ["Third."]]).replace(b"/Kids [4 0 R 6 0 R", b"/Kids [4 0 R 3 0 R")
    document = parse(raw)
    assert (document.text, document.page_count) == ("First.\n\n\n\nThird.", 3)
    assert document.warnings == (ParseWarning(WarningReason.DAMAGED_PAGES, 1),)


def test_a_file_with_a_wrong_table_of_contents_is_read_all_the_same():
    raw = make_pdf([["Words that survive."]]).replace(b"0000000", b"0000009")
    assert parse(raw).text == "Words that survive."
