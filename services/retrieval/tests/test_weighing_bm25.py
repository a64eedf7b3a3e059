"""The terms of passages and queries."""

import pytest

from retrieval.embedders.bm25 import STEMMED, Bm25TermWeigher

WEIGHER = Bm25TermWeigher()


def shared(query, passage, language, query_language=""):
    """How many terms of a query a passage has."""
    terms = WEIGHER.weigh_query(query, query_language).indices
    return len(set(terms) & set(WEIGHER.weigh_passage(passage, language).indices))


@pytest.mark.parametrize(
    ("query", "passage", "language"),
    [
        ("dog", "two running dogs", "en"),
        ("Hund", "viele Hunde bellen", "de"),
        ("Hunde", "ein Hund bellt", "de"),
        ("maison", "les maisons sont grandes", "fr"),
        ("собака", "две собаки бегут", "ru"),
        ("كتاب", "این کتاب خوب است", "fa"),
        ("خانه", "خانه‌های قدیمی تهران", "fa"),
        ("日本", "日本語のテスト", "ja"),
        ("dogs", "two dogs", "xx"),
        ("dogs", "two dogs", ""),
        ("ﬁle", "the file", "en"),
    ],
)
def test_a_query_in_an_unknown_language_meets_passages_of_every_language(query, passage, language):
    assert shared(query, passage, language) == 1


@pytest.mark.parametrize("language", sorted(STEMMED))
def test_a_word_counts_once_however_many_stems_it_has(language):
    assert shared("international", "international", language) <= 1


def test_stop_words_are_no_terms_of_a_passage():
    assert WEIGHER.weigh_passage("the of and", "en").indices == ()
    assert shared("what is the", "what the fox is", "en") == 0


def test_a_passage_says_how_often_and_a_query_only_what():
    once, often = (WEIGHER.weigh_passage(text, "en") for text in ("fox", "fox fox fox"))
    assert often.values[0] > once.values[0] > 0
    assert set(WEIGHER.weigh_query("fox fox badger", "en").values) == {1.0}
    assert len(WEIGHER.weigh_query("fox fox badger", "en").indices) == 2


@pytest.mark.parametrize("text", ["", "   ", "!?…", "\u200c"])
def test_a_text_without_words_has_no_terms(text):
    assert WEIGHER.weigh_query(text, "").indices == ()
    assert WEIGHER.weigh_passage(text, "en").indices == ()
