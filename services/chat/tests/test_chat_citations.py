import asyncio

import pytest

from chat.model import Check
from chat.turn.find_quote import find_quote
from chat.turn.retrieve import SourceTexts, fetch_texts
from chat.turn.support import find_support
from chat.turn.verify_citations import CitationVerifier, find_claim
from servicekit.errors import AppError, Code

CANON = (
    "Dynamic languages are popular.\nA trace tree is a set of traces that share one anchor. The ﬁrst trace took 12 ms "
    "on average.\nIt is called “hot” if the exam-\nple runs twice; see Fig. 3 and Dr. A. Gal et al. (2009)."
)


class FakeTexts:
    """Has some of the texts, by marker; fails with a code where it has one."""

    def __init__(self, texts, failure=None):
        self.texts, self.failure, self.calls = texts, failure, []

    async def read(self, passages):
        self.calls.append([passage.marker for passage in passages])
        if self.failure:
            raise AppError(self.failure, "WHY", "gone")
        return self.texts


async def check(passages, marker, quote, answer, texts=None):
    source = FakeTexts({passage.marker: passage.text for passage in passages} if texts is None else texts)
    fetching = asyncio.ensure_future(fetch_texts(source, passages))
    return await CitationVerifier(passages, SourceTexts(fetching)).verify(marker, quote, answer)


@pytest.mark.parametrize(
    ("quote", "expected", "found"),
    [
        ("A trace tree is a set of traces", Check.EXACT, "A trace tree is a set of traces"),
        ("a TRACE   tree is a set", Check.NORMALISED, "A trace tree is a set"),
        ("The first trace took 12 ms", Check.NORMALISED, "The ﬁrst trace took 12 ms"),
        ('called "hot" if the example runs', Check.NORMALISED, "called “hot” if the exam-\nple runs"),
        ("popular. A trace", Check.NORMALISED, "popular.\nA trace"),
        ("…share one anchor...", Check.NORMALISED, "share one anchor"),
        ("The first trace took ۱۲ ms", Check.NORMALISED, "The ﬁrst trace took 12 ms"),
        ("A trace tree is a set of trees", None, None),
        ("race tree is a se", None, None),
        ("a", None, None),
        ("", None, None),
        ("...", None, None),
    ],
)
def test_a_quote_is_found_in_its_original_characters(quote, expected, found):
    finding = find_quote(quote, CANON)
    if expected is None:
        assert finding is None
    else:
        assert finding.check is expected
        assert CANON[finding.span.start : finding.span.end] == found


@pytest.mark.parametrize(
    ("quote", "canonical", "found"),
    [
        ("کتاب‌ها را می‌خواند", "او كتابها را ميخواند.", "كتابها را ميخواند"),
        ("well-known fact", "a wellknown fact", "wellknown fact"),
        ("it fell to -5 degrees", "it fell to −5 degrees", "it fell to −5 degrees"),
        ("it fell to 5 degrees", "it fell to -5 degrees", None),
    ],
)
def test_what_readers_do_not_see_makes_no_difference_and_a_minus_does(quote, canonical, found):
    finding = find_quote(quote, canonical)
    assert (canonical[finding.span.start : finding.span.end] if finding else None) == found


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ('called "hot" if the example runs', "called 'hot' if the exam-\nple runs"),
        ("RUNS   twice at -5 (degrees)", None),
        ("twice,at -5", None),
        ("runs twice, AT -5 (degrees)", "runs twice, at -5 [degrees]"),
        ("runs twice, at 5", None),
        ("runs thrice", None),
    ],
)
def test_plain_letters_are_found_in_every_form_too(quote, found):
    canonical = "It is called 'hot' if the exam-\nple runs twice, at -5 [degrees] and more."
    finding = find_quote(quote, canonical)
    assert (canonical[finding.span.start : finding.span.end] if finding else None) == found


@pytest.mark.parametrize(
    ("answer", "claim"),
    [
        ("A is so. B is not [1]", "B is not [1]"),
        ("A is so. B is not. [1]", "B is not. [1]"),
        ("A is so [1]. B is not [2][3]", "B is not [2][3]"),
        ("A is so. [1] B is not. [2]", "B is not. [2]"),
        ("A is so [1], and B is not [2]", "and B is not [2]"),
        ("It grew by 3.5 percent, e.g. in Rome [1]", "It grew by 3.5 percent, e.g. in Rome [1]"),
        ("- one thing\n- another thing [1]", "another thing [1]"),
        ("این درست است. آن نادرست است [1]", "آن نادرست است [1]"),
        ("[1]", "[1]"),
    ],
)
def test_the_claim_of_a_marker_is_its_sentence(answer, claim):
    assert answer[find_claim(answer) :].removeprefix("- ") == claim


async def test_an_exact_quote_carries_document_offsets_and_page(make_passage):
    passage = make_passage(CANON, page_break_offsets=(100 + CANON.index("The ﬁrst"),))
    found = await check([passage], 1, "took 12 ms", "It took 12 ms [1]")
    start = 100 + CANON.index("took 12 ms")
    assert (found.check, found.quote) == (Check.EXACT, "took 12 ms")
    assert (found.start_offset, found.end_offset, found.page_number) == (start, start + 10, 4)
    assert (found.answer_start, found.answer_end) == (0, 17)
    assert (found.document_id, found.version_id, found.filename) == ("doc-1", "v1", "1.pdf")
    before = await check([passage], 1, "Dynamic languages", "x [1]")
    assert before.page_number == 3


@pytest.mark.parametrize(
    ("answer", "expected", "quote"),
    [
        ("Dynamic languages are popular. [1]", Check.EXACT, "Dynamic languages are popular."),
        ("dynamic languages are popular [1]", Check.NORMALISED, "Dynamic languages are popular"),
        ('It says "share one anchor" somewhere odd [1]', Check.EXACT, "share one anchor"),
        (
            "All traces of a tree share an anchor [1]",
            Check.EXACT,
            "A trace tree is a set of traces that share one anchor.",
        ),
        ("The first trace took 15 ms [1]", Check.UNSUPPORTED, "The first trace took 15 ms"),
        ("Bananas grow in warm countries [1]", Check.UNSUPPORTED, "Bananas grow in warm countries"),
    ],
)
async def test_a_bare_marker_is_checked_by_the_claim_before_it(make_passage, answer, expected, quote):
    found = await check([make_passage(CANON)], 1, None, answer)
    assert (found.check, found.quote) == (expected, quote)
    if expected is not Check.UNSUPPORTED:
        assert CANON[found.start_offset - 100 : found.end_offset - 100] == quote


async def test_a_wrong_quote_is_unsupported_and_has_no_range(make_passage):
    found = await check([make_passage(CANON)], 1, "trees are green", "So [1]")
    assert (found.check, found.quote, found.document_id) == (Check.UNSUPPORTED, "trees are green", "doc-1")
    assert (found.start_offset, found.end_offset, found.page_number) == (0, 0, 0)


async def test_an_unknown_marker_is_unsupported_and_names_no_document(make_passage):
    found = await check([make_passage(CANON)], 9, None, "Dynamic languages are popular [9]")
    assert (found.check, found.document_id, found.version_id) == (Check.UNSUPPORTED, "", "")


async def test_what_cannot_be_checked_is_unsupported(make_passage):
    found = await check([make_passage(CANON)], 1, "A trace tree", "x [1]", texts={})
    assert found.check is Check.UNSUPPORTED


async def test_the_canonical_text_decides_and_not_the_hit(make_passage):
    found = await check([make_passage(CANON)], 1, "A trace tree", "x [1]", texts={1: "Other words."})
    assert found.check is Check.UNSUPPORTED


async def test_all_texts_are_fetched_in_one_call(make_passage):
    passages = [make_passage("One.", 1), make_passage("Two.", 2), make_passage("Three.", 3)]
    source = FakeTexts({1: "One.", 2: "Two."})
    texts = SourceTexts(asyncio.ensure_future(fetch_texts(source, passages)))
    assert not texts.is_ready
    assert [await texts.read(passage) for passage in passages] == ["One.", "Two.", None]
    assert texts.is_ready
    assert source.calls == [[1, 2, 3]]


@pytest.mark.parametrize("failure", [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.NOT_FOUND])
async def test_texts_that_do_not_come_are_none(make_passage, failure):
    passage = make_passage("One.", 1)
    texts = SourceTexts(asyncio.ensure_future(fetch_texts(FakeTexts({}, failure), [passage])))
    assert await texts.read(passage) is None


async def test_without_passages_no_text_is_asked_for():
    source = FakeTexts({}, Code.INTERNAL)
    assert await fetch_texts(source, []) == {}
    assert source.calls == []


def test_two_sentences_together_may_support_a_claim():
    text = "The tower was built in 1889. Its architect was Gustave Eiffel. Birds sing."
    span = find_support("The tower by architect Gustave Eiffel was built in 1889", text)
    assert text[span.start : span.end] == "The tower was built in 1889. Its architect was Gustave Eiffel."
    assert find_support("tower", text) is None
    assert find_support("Anything goes here", "") is None
