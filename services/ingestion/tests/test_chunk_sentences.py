import pytest

from ingestion.pipeline.sentences import paragraph_spans, piece_spans, sentence_spans


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
