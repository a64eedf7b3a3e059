import random

from ingestion.parsers.furniture import remove_furniture
from ingestion.parsers.lines import Line
from ingestion.parsers.pdf import parse_pdf

from .documents import make_pdf

PROSE = "Some words of the text that nobody may lose, of page"


def page(*texts, top=700.0, gaps=()):
    """Make a page of one line a text, twice as far apart after those in gaps."""
    lines, height = [], top
    for text in texts:
        lines.append(Line(text, 50, 50 + 5 * len(text), height, 10))
        height -= 30 if text in gaps else 12
    return lines


def texts_of(pages):
    return [[line.text for line in kept] for kept in remove_furniture(pages)]


def body(number, lines=20):
    return [f"{PROSE} {number * 7}, line {line}" for line in range(lines)]


def test_running_heads_and_page_numbers_go_but_for_the_first():
    pages = [page("THE BOOK", *body(number), f"{number + 11}") for number in range(8)]
    kept = texts_of(pages)
    assert kept[0] == ["THE BOOK", *body(0), "11"]
    assert kept[1:] == [body(number) for number in range(1, 8)]


def test_a_head_that_counts_the_pages_goes_if_it_stands_apart_from_the_text():
    far = [page(head := f"{number + 11} THE BOOK", *body(number), gaps={head}) for number in range(8)]
    near = [page(f"Item {number}", *body(number)) for number in range(8)]
    assert [kept[0] for kept in texts_of(far)[1:]] == [body(number)[0] for number in range(1, 8)]
    assert texts_of(near) == [[f"Item {number}", *body(number)] for number in range(8)]


def test_what_repeats_within_the_pages_stays():
    pages = [page(*body(number, 9), "VAT NL0012", "Terms: 30 days", *body(number, 9)) for number in range(12)]
    assert texts_of(pages) == [[line.text for line in lines] for lines in pages]


def test_what_repeats_at_different_heights_stays():
    pages = [page("Summary", *body(number), top=700 - 20 * number) for number in range(8)]
    assert [kept[0] for kept in texts_of(pages)] == ["Summary"] * 8


def test_a_document_that_would_lose_much_of_itself_loses_nothing():
    invoices = [
        page("Invoice", "To: Jansen BV, Utrecht", "VAT NL0012", f"Amount: {number * 311}", "IBAN NL91ABNA0417164300")
        for number in range(12)
    ]
    assert texts_of(invoices) == [[line.text for line in lines] for lines in invoices]


def test_identical_pages_keep_their_text():
    document = parse_pdf(make_pdf([["One line.", "Another line."]] * 5), 500)
    assert document.text.count("One line.") == document.text.count("Another line.") == 5


def test_no_page_is_emptied():
    pages = [page(*body(number, 60)) for number in range(6)] + [page("THE BOOK")] * 6
    assert all(texts_of(pages))


def numbered_margin(count, left):
    return [Line(str(number), left, left + 8, 700 - 12 * number, 10) for number in range(1, count + 1)]


def test_line_numbers_beside_the_text_of_many_pages_go_but_for_the_first():
    pages = [[*page(*body(number, 40)), *numbered_margin(30, left=20)] for number in range(6)]
    kept = remove_furniture(pages)
    assert kept[0] == pages[0]
    assert kept[1:] == [lines[:40] for lines in pages[1:]]


def test_numbers_in_the_text_or_on_few_pages_stay():
    within = [[*page(*body(number, 40)), *numbered_margin(30, left=80)] for number in range(6)]
    once = [page(*body(number, 40)) for number in range(5)] + [[*page(*body(5, 40)), *numbered_margin(30, left=20)]]
    assert remove_furniture(within) == within
    assert remove_furniture(once) == once


def count_letters(pages):
    return sum(len(line.text) for lines in pages for line in lines if not line.text.startswith("-"))


def test_no_document_loses_more_than_a_tenth_of_its_letters():
    for seed in range(200):
        chance = random.Random(seed)
        words = [f"line {number}" for number in range(chance.randint(1, 12))] + ["1", "2", "3", "-" * 9]
        pages = [page(*chance.choices(words, k=chance.randint(0, 9))) for _ in range(chance.randint(1, 12))]
        kept = remove_furniture(pages)
        before, after = count_letters(pages), count_letters(kept)
        assert after >= 0.9 * before, seed
        assert all(bool(lines) == bool(left) for lines, left in zip(pages, kept, strict=True)), seed
