import time
from itertools import pairwise

import pytest

from language.sentences import paragraph_spans, piece_spans, sentence_spans, split_sentences


def split(text):
    return [text[start:end] for start, end in sentence_spans(text, 0, len(text))]


@pytest.mark.parametrize(
    "sentences",
    [
        ["One ends here.", "Two begins!", "Three?", "Four"],
        ["Dr. Smith met Mrs. Jones at 3.14 p.m. sharp.", "They left."],
        ["No. 5 and fig. 3 and Eq. 4, e.g. Trace i.e. Path.", "Next."],
        ["J. R. R. Tolkien wrote it.", "It is long."],
        ["1. Introduction", "- item one", "- item two"],
        ["He asked “why?” and left.", "“Because.”", "So he did."],
        ["Wait . . . there is more.", "Yes… but no.", "Done (really.)", "Now."],
        ["این جمله اول است.", "آیا این دوم است؟", "بله!"],
        ["ما هو هذا؟", "هذا نص."],
        ["یہ پہلا جملہ ہے۔", "یہ دوسرا ہے۔"],
        ["यह पहला है।", "यह दूसरा है।"],
        ["z.B. Haus und Hof.", "Das ist gut."],
        ["Bis zum 31. Oktober gilt es.", "Der 2. Weltkrieg endete im 20. Jahrhundert.", "Er ist 31.", "Sie auch."],
        ["He scored 31.", "Then he left on page 12.", "Water boils."],
        ["Version 2.0 is out.", "Then example.org works."],
    ],
)
def test_sentences_are_found(sentences):
    separator = "\n" if any(sentence.startswith("- ") for sentence in sentences) else " "
    assert split(separator.join(sentences)) == sentences


def test_chinese_and_japanese_need_no_blanks():
    assert split("这是第一句。这是第二句！“对吗？”是的。") == ["这是第一句。", "这是第二句！", "“对吗？”", "是的。"]


def test_a_wrapped_line_is_no_end():
    assert split("One sentence that\nis wrapped. Two.") == ["One sentence that\nis wrapped.", "Two."]


def test_paragraphs_lie_between_blank_lines():
    text = "\n\nOne\nstill one.\n \t\nTwo.\n\n\n"
    assert [text[start:end] for start, end in paragraph_spans(text, 0, len(text))] == ["One\nstill one.", "Two."]


@pytest.mark.parametrize(
    ("text", "longest", "pieces"),
    [
        ("aaaa bbbb cccc", 10, ["aaaa bbbb", "cccc"]),
        ("aaaa bbb\ncccc dd", 12, ["aaaa bbb", "cccc dd"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("abce\u0301fgh", 4, ["abc", "e\u0301fg", "h"]),
    ],
)
def test_pieces_are_cut_at_lines_words_or_letters(text, longest, pieces):
    assert [text[start:end] for start, end in piece_spans(text, 0, len(text), longest)] == pieces


def read(text):
    return [text[span.start : span.end] for span in split_sentences(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["The U.S. Supreme Court sat.", "He left."],
        ["She has a Ph.D. Degree.", "He has none."],
        ["It was shown by Gal et al. [3] in a paper.", "Next."],
        ["It is e.g. this.", "Dr. A. Gal wrote it.", "Next."],
        ["He said “no.”", "Then he left."],
    ],
)
def test_an_abbreviation_ends_no_sentence(sentences):
    assert split(" ".join(sentences)) == sentences


def test_a_blank_that_a_pdf_lost_hides_no_end():
    assert split("It is so.12 The next one. End.") == ["It is so.12", "The next one.", "End."]
    assert split("He had bad news.The court sat.No one.") == ["He had bad news.", "The court sat.", "No one."]
    assert split("Call Console.WriteLine(it) or a.B now.") == ["Call Console.WriteLine(it) or a.B now."]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("# Title\nText of it.", ["# Title", "Text of it."]),
        ("Para one\n\nPara two", ["Para one", "Para two"]),
        ("Items:\n• one thing\n• two things", ["Items:", "• one thing", "• two things"]),
        ("", []),
        ("\n \n", []),
        ("标题\n\n第一句。第二句！", ["标题", "第一句。", "第二句！"]),
    ],
)
def test_what_stands_on_lines_of_its_own_is_read_by_itself(text, sentences):
    assert read(text) == sentences


def test_a_heading_on_its_own_line_is_no_part_of_the_next_sentence():
    text = (
        "and this is the end of a long line of running text.\n3. Trace Trees\nIn this section, we describe traces and "
        "trees,\nand how they are formed at run time by the recorder of it."
    )
    assert "3. Trace Trees" in read(text)


@pytest.mark.parametrize("piece", [".", "a. ", ".)", "- a\n", "a.\n", " \n", "a", "。", "aaa.A", "# a\n", "1. "])
def test_hostile_text_takes_linear_time(piece):
    text = piece * (300_000 // len(piece))
    started = time.process_time()
    spans = split_sentences(text)
    assert time.process_time() - started < 3
    assert all(before.end <= after.start for before, after in pairwise(spans))
