import random
import re
import time
from itertools import pairwise

import pytest

from ingestion.parsers.pdf import parse_pdf
from ingestion.pipeline.chunk import chunk_document
from ingestion.text import Heading, Page, ParsedDocument

from .documents import make_pdf

VOCABULARY = "trace tree loop guard machine code path record interpreter because although value سلام دنیا été 汉字 x86"
WORDS = VOCABULARY.split()


class WordTokenizer:
    """Counts words and marks, and remembers how much it was asked to read."""

    def __init__(self):
        self.characters = 0

    def count(self, text):
        self.characters += len(text)
        return len(re.findall(r"\w+|[^\w\s]", text))


def make_document(text, headings=(), pages=()):
    return ParsedDocument(text, tuple(pages), tuple(headings), "", len(pages))


def write_sentence(generator):
    words = generator.choices(WORDS, k=generator.randint(1, 40))
    return " ".join(words).capitalize() + generator.choice([".", "?", "!", "؟", "。", ""])


def write_document(seed):
    """Return a random document with headings, pages, paragraphs of all sizes and some overlong words."""
    generator = random.Random(seed)
    text, headings, pages = "", [], []
    for _ in range(generator.randint(1, 60)):
        kind = generator.random()
        if kind < 0.2:
            headings.append(Heading(generator.randint(1, 4), f"Head {len(headings)}", len(text)))
            text += headings[-1].title
        elif kind < 0.3:
            text += "\n" * generator.randint(0, 3) + "#" * generator.randint(1, 3000)
        elif kind < 0.4:
            text += "\n".join(f"- item {number}" for number in range(generator.randint(1, 200)))
        else:
            text += " ".join(write_sentence(generator) for _ in range(generator.randint(1, 30)))
        if generator.random() < 0.3:
            pages.append(Page(len(pages) + 1, 0 if not pages else len(text) + 2))
        text += "\n\n"
    return make_document(text, headings, pages)


def uncovered(document, chunks):
    covered = bytearray(len(document.text))
    for chunk in chunks:
        covered[chunk.start_offset : chunk.end_offset] = b"\1" * (chunk.end_offset - chunk.start_offset)
    return "".join(character for character, seen in zip(document.text, covered, strict=True) if not seen).strip()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("size", "overlap"), [(16, 8), (60, 10), (400, 40), (400, 0)])
def test_whatever_the_document_the_chunks_hold(seed, size, overlap):
    document, tokenizer = write_document(seed), WordTokenizer()
    chunks = chunk_document(document, tokenizer, size=size, overlap=overlap)
    assert chunks == chunk_document(document, tokenizer, size=size, overlap=overlap)
    assert [chunk.chunk_index for chunk in chunks] == list(range(len(chunks))) != []
    assert uncovered(document, chunks) == ""
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start_offset : chunk.end_offset] == chunk.text.strip() != ""
        assert chunk.token_count == tokenizer.count(chunk.text) <= size
    for before, after in pairwise(chunks):
        assert before.start_offset < after.start_offset
        assert before.end_offset < after.end_offset
        shared = document.text[after.start_offset : before.end_offset]
        assert tokenizer.count(shared) <= overlap
        previous = document.text[after.start_offset - 1]
        assert not shared or previous in " \n。" or previous in "#"


@pytest.mark.parametrize("seed", range(40))
def test_pages_are_those_of_the_first_and_last_character(seed):
    document = write_document(seed)
    chunks = chunk_document(document, WordTokenizer(), size=60, overlap=10)
    assert chunks
    for chunk in chunks:
        pages = [page for page in document.pages if page.start_offset < chunk.end_offset]
        inside = [page for page in pages if page.start_offset > chunk.start_offset]
        assert chunk.page_end == (pages[-1].number if pages else 0)
        assert chunk.page_start == chunk.page_end - len(inside)
        assert chunk.page_break_offsets == tuple(page.start_offset for page in inside)


def test_chunks_of_a_pdf_know_their_pages():
    sentence = "This sentence of page {} goes on and on until the line is full of words."
    document = parse_pdf(make_pdf([[sentence.format(number)] * 12 for number in (1, 2, 3)]), 10)
    chunks = chunk_document(document, WordTokenizer(), size=60, overlap=10)
    assert len(chunks) > 6
    for chunk in chunks:
        named = [int(number) for number in re.findall(r"page (\d)", chunk.text)]
        assert (min(named), max(named)) == (chunk.page_start, chunk.page_end)
    assert any(chunk.page_break_offsets for chunk in chunks)


def body(count):
    return " ".join(["Word"] * count) + "."


def test_a_chunk_ends_where_a_section_does():
    text = f"A\n\n{body(50)}\n\nB\n\n{body(50)}"
    second = text.index("B\n")
    chunks = chunk_document(
        make_document(text, [Heading(1, "A", 0), Heading(1, "B", second)]), WordTokenizer(), size=100
    )
    assert [(chunk.heading_path, chunk.start_offset) for chunk in chunks] == [(("A",), 0), (("B",), second)]


def test_a_heading_joins_its_first_subsection_and_the_path_is_the_deeper_one():
    text = f"Trees\n\nNested\n\n{body(200)}"
    document = make_document(text, [Heading(1, "Trees", 0), Heading(2, "Nested", 7)])
    chunks = chunk_document(document, WordTokenizer(), size=100, overlap=10)
    assert chunks[0].start_offset == 0
    assert {chunk.heading_path for chunk in chunks} == {("Trees", "Nested")}


def test_small_neighbours_share_a_chunk_and_the_path_they_share():
    text = f"Top\n\n{body(60)}\n\nA\n\n{body(12)}\n\nB\n\n{body(12)}"
    headings = [Heading(1, "Top", 0), Heading(2, "A", text.index("A\n")), Heading(2, "B", text.index("B\n"))]
    chunks = chunk_document(make_document(text, headings), WordTokenizer(), size=100, overlap=10)
    assert [chunk.heading_path for chunk in chunks] == [("Top",), ("Top",)]
    assert chunks[1].text.startswith("A\n")
    assert "B\n" in chunks[1].text


def test_a_small_section_does_not_join_the_next_chapter():
    text = f"One\n\n{body(60)}\n\nSub\n\n{body(5)}\n\nTwo\n\n{body(5)}"
    headings = [Heading(1, "One", 0), Heading(2, "Sub", text.index("Sub")), Heading(1, "Two", text.index("Two"))]
    paths = [chunk.heading_path for chunk in chunk_document(make_document(text, headings), WordTokenizer(), size=100)]
    assert paths == [("One",), ("One", "Sub"), ("Two",)]


def test_no_chunk_ends_in_the_heading_of_what_follows():
    text = f"{body(10)}\n\nA\n\n{body(20)}\n\nB\n\n{body(60)}"
    headings = [Heading(1, "A", text.index("A\n")), Heading(2, "B", text.index("B\n"))]
    chunks = chunk_document(make_document(text, headings), WordTokenizer(), size=40, overlap=0)
    assert not any(chunk.text.endswith(("\nA", "\nB")) for chunk in chunks)


def test_a_paragraph_is_kept_whole_if_the_chunk_is_full_enough_without_it():
    text = f"{body(69)}\n\n{body(20)} {body(20)}"
    chunks = chunk_document(make_document(text), WordTokenizer(), size=100, overlap=0)
    assert [chunk.start_offset for chunk in chunks] == [0, text.index("\n\n") + 2]


def test_a_whole_that_counts_more_than_its_parts_still_fits():
    class Grudging(WordTokenizer):
        def count(self, text):
            words = super().count(text)
            return words + words // 8

    text = "Seven words are in this one sentence. " * 60
    chunks = chunk_document(make_document(text), Grudging(), size=60, overlap=16)
    assert uncovered(make_document(text), chunks) == ""
    assert all(chunk.token_count == Grudging().count(chunk.text) <= 60 for chunk in chunks)


def test_the_overlap_is_whole_sentences_or_else_whole_words():
    sentences = "".join(f"Sentence number {number} of this text is here. " for number in range(40))
    chunks = chunk_document(make_document(sentences), WordTokenizer(), size=60, overlap=20)
    assert len(chunks) > 1
    assert all(chunk.text.startswith("Sentence") for chunk in chunks)
    assert all(b.start_offset < a.end_offset for a, b in pairwise(chunks))
    long = " ".join(f"word{number}" for number in range(50)) + ". T" + " ".join(f"term{number}" for number in range(50))
    first, second = chunk_document(make_document(long), WordTokenizer(), size=60, overlap=8)
    assert re.match(r"word4\d ", second.text)
    assert first.end_offset > second.start_offset


@pytest.mark.parametrize(("text", "expected"), [("", 0), (" \n\n ", 0), ("x", 1)])
def test_little_or_nothing(text, expected):
    assert len(chunk_document(make_document(text), WordTokenizer())) == expected


@pytest.mark.parametrize(("size", "overlap"), [(15, 0), (100, 51), (100, -1)])
def test_sizes_that_make_no_sense_are_refused(size, overlap):
    with pytest.raises(ValueError, match="size"):
        chunk_document(make_document("x"), WordTokenizer(), size=size, overlap=overlap)


def test_paths_and_titles_stay_within_what_the_index_takes():
    headings = [Heading(level, "t" * 900, 0) for level in range(1, 40)]
    (chunk,) = chunk_document(make_document("words", headings), WordTokenizer())
    assert len(chunk.heading_path) == 16
    assert {len(title) for title in chunk.heading_path} == {500}


HOSTILE = {
    "one word": lambda size: "a" * size,
    "one line": lambda size: "word " * (size // 5),
    "full stops": lambda size: "." * size,
    "blanks": lambda size: "a" + " " * size + "b",
    "blank lines": lambda size: "a\n" + " \n" * (size // 2) + "b",
    "brackets": lambda size: ".)" * (size // 2),
    "marks": lambda size: "a" + "\u0301" * size,
    "list items": lambda size: "- a\n" * (size // 4),
    "stars": lambda size: "a. " * (size // 3),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_text_and_not_with_its_square(name):
    tokenizer, text = WordTokenizer(), HOSTILE[name](300_000)
    started = time.process_time()
    chunks = chunk_document(make_document(text), tokenizer)
    assert time.process_time() - started < 6
    assert tokenizer.characters < 12 * len(text)
    assert max(len(chunk.text) for chunk in chunks) <= 10_000
    assert uncovered(make_document(text), chunks) == ""


def test_thirty_thousand_headings_take_linear_time():
    text = "# a\n" * 30_000
    headings = [Heading(1 + number % 6, "a", number * 4) for number in range(30_000)]
    started = time.process_time()
    assert len(chunk_document(make_document(text, headings), WordTokenizer())) > 1000
    assert time.process_time() - started < 3
