import threading
from uuid import uuid4

import numpy as np
import pytest

from retrieval.errors import EmptyQuery
from retrieval.model import Chunk, DocumentVersion, Hit, Match, Matches, Scope
from retrieval.search.fusion import drop_repeats, fuse
from retrieval.search.leg_weights import BOTH_LEGS, WORDS_FIRST, knows_script, weigh_legs
from retrieval.search.searcher import Searcher, is_blank
from servicekit.errors import AppError, Code

TENANT, USER, OTHER = str(uuid4()), str(uuid4()), str(uuid4())
ENGLISH = frozenset({"en"})


def make_version(version_id="v", *, document_id="d", tenant_id=TENANT, private_to="", language="en"):
    return DocumentVersion(tenant_id, document_id, version_id, "c", private_to, "a.pdf", "A", language)


PASSAGES = {}


def make_match(number, score=1.0, text="", **version):
    made = make_version(**version)
    point_id = f"{made}/{number}"
    PASSAGES[point_id] = (made, Chunk(number, text or f"text {number}", 0, 1, 1, 1))
    return Match(point_id, made.version_id, made.language, number, score)


def leg(*numbers, **version):
    return [make_match(number, 1 / (place + 1), **version) for place, number in enumerate(numbers)]


def numbers(hits):
    return [hit.chunk.chunk_index if isinstance(hit, Hit) else hit.chunk_index for hit in hits]


class FakeEmbedder:
    def __init__(self):
        self.embedded = []

    async def embed_query(self, text):
        self.embedded.append(text)
        return np.zeros(4, dtype=np.float32)


class FakeWeigher:
    def weigh_query(self, text, language):
        self.thread = threading.current_thread()
        return text


class FakeIndex:
    brings = False  # what the leading matches stand for

    def __init__(self, dense, sparse=()):
        self.dense, self.sparse, self.asked, self.read_counts = list(dense), list(sparse), [], []

    async def match(self, scope, dense, sparse, limit, leading):
        self.asked.append(limit)
        known = [
            match.point_id for match in (*self.dense[: self.brings * leading], *self.sparse[: self.brings * leading])
        ]
        return Matches(self.dense[:limit], self.sparse[:limit], {each: PASSAGES[each] for each in known})

    async def read(self, point_ids):
        self.read_counts.append(len(point_ids))
        return {point_id: PASSAGES[point_id] for point_id in point_ids if point_id in PASSAGES}


class FakeRegistry:
    def __init__(self, *visible):
        self.visible = frozenset(visible)

    async def find_visible(self, tenant_id, version_ids):
        return self.visible & set(version_ids)


class FakeAllowance:
    def __init__(self):
        self.left, self.spent = 10**6, []

    async def spend(self, tenant_id, user_id, tokens, api_key_id=""):
        if tokens > self.left:
            raise AppError(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "The plan allows no more.")
        self.spent.append((tenant_id, user_id, tokens))


def make_searcher(dense, sparse=(), visible=("v",), known=None):
    index, registry = FakeIndex(dense, sparse), FakeRegistry(*visible)
    return Searcher(FakeEmbedder(), FakeWeigher(), index, registry, FakeAllowance(), len, known)


async def search(searcher, query="query", top_k=8):
    return await searcher.search(Scope(TENANT, USER), query, top_k)


@pytest.mark.parametrize("query", ["", " ", "\n\t", "\u200b\u2060", "\x00\x07", "\u3000\xa0"])
async def test_a_blank_query_is_refused_before_anything_is_touched(query):
    searcher = make_searcher(leg(1))
    with pytest.raises(EmptyQuery):
        await search(searcher, query)
    assert searcher.index.asked == []


@pytest.mark.parametrize("query", ["a", "?", "۱", "🚀", " x "])
def test_anything_that_prints_is_a_query(query):
    assert not is_blank(query)


@pytest.mark.parametrize(("words", "elsewhere"), [(1, False), (50, False), (51, True), (1600, True)])
async def test_a_long_query_is_stemmed_off_the_event_loop(words, elsewhere):
    """Thirty stemmers over a long query take longer than the event loop may stand still."""
    searcher = make_searcher(leg(1))
    await search(searcher, "fish " * words)
    assert (searcher.weigher.thread is not threading.current_thread()) == elsewhere


async def test_a_tenants_query_is_embedded_once_and_another_tenants_for_itself():
    searcher = make_searcher(leg(1))
    for tenant_id, query in ((TENANT, "cats"), (TENANT, "cats"), (OTHER, "cats"), (TENANT, "dogs"), (TENANT, "cats")):
        await searcher.search(Scope(tenant_id, USER), query)
    assert searcher.embedder.embedded == ["cats", "cats", "dogs"]


async def test_both_legs_are_fused_best_first():
    hits = await search(make_searcher(leg(1, 2, 3), leg(3, 1, 4)))
    assert numbers(hits) == [1, 3, 2, 4]
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


async def test_versions_that_are_not_active_are_not_seen_and_hold_no_rank():
    alone = await search(make_searcher(leg(1, 2), leg(2)))
    crowded = await search(make_searcher(leg(9, version_id="old") + leg(1, 2), leg(8, 9, version_id="old") + leg(2)))
    assert crowded == alone


@pytest.mark.parametrize(
    "foreign",
    [{"tenant_id": OTHER}, {"private_to": OTHER}, {"version_id": "gone"}],
    ids=["another tenant", "another user's private collection", "a version that is not active"],
)
async def test_a_match_the_index_should_not_have_given_is_dropped(foreign):
    both = [make_match(1, **foreign), make_match(2)]
    assert numbers(await search(make_searcher(both, both))) == [2]


async def test_the_callers_own_private_passages_are_found():
    assert numbers(await search(make_searcher(leg(1, private_to=USER)))) == [1]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (8, 8), (50, 50), (5000, 50)])
async def test_no_more_than_top_k_hits_come_and_never_more_than_fifty(top_k, count):
    assert len(await search(make_searcher(leg(*range(300))), top_k=top_k)) == count


async def test_more_is_fetched_when_too_few_are_visible():
    searcher = make_searcher([*leg(*range(120), version_id="old"), *leg(*range(10))])
    assert len(await search(searcher)) == 8
    assert searcher.index.asked == [50, 200]


async def test_fetching_more_ends_after_three_rounds():
    searcher = make_searcher(leg(*range(5000), version_id="old"))
    assert await search(searcher) == []
    assert searcher.index.asked == [50, 200, 800]


async def test_nothing_more_is_fetched_from_an_index_that_has_given_all():
    searcher = make_searcher(leg(1, 2))
    assert len(await search(searcher)) == 2
    assert searcher.index.asked == [50]


async def test_a_query_in_a_language_the_model_does_not_know_is_decided_by_words():
    dense, sparse = leg(*range(20)), leg(25, 24, 23, 19)
    hits = await search(make_searcher(dense, sparse, known=ENGLISH), "پایتخت ایران کجاست")
    assert numbers(hits)[:4] == [25, 24, 23, 19]
    assert len(hits) == 8


async def test_repeats_of_one_document_give_way_to_other_passages():
    dense = [make_match(1), make_match(2, text="text 1"), make_match(3)]
    searcher = make_searcher(dense)
    assert numbers(await search(searcher, top_k=2)) == [1, 3]
    assert searcher.index.read_counts == [2, 1]
    make_match(2)


async def test_only_what_is_returned_is_read():
    searcher = make_searcher(leg(*range(50)), leg(*range(30, 80)))
    assert len(await search(searcher)) == 8
    assert searcher.index.read_counts == [8]


async def test_what_came_with_the_matches_is_not_read_again():
    searcher = make_searcher(leg(*range(50)), leg(*range(30, 80)))
    searcher.index.brings = True
    brought = await search(searcher)
    assert searcher.index.read_counts == []
    assert brought == await search(make_searcher(leg(*range(50)), leg(*range(30, 80))))


async def test_what_was_deleted_since_it_was_found_is_no_hit():
    dense = leg(*range(10), version_id="v")
    gone = PASSAGES.pop(dense[1].point_id)
    assert numbers(await search(make_searcher(dense), top_k=3)) == [0, 2, 3]
    PASSAGES[dense[1].point_id] = gone


def test_the_same_words_in_two_documents_are_two_hits():
    chunk = Chunk(1, "same", 0, 4, 1, 1)
    hits = [Hit(make_version(document_id=document), chunk, 0.5) for document in ("a", "b")]
    assert drop_repeats(hits) == hits


def alike(similarity, *numbers):
    return [make_match(number, similarity) for number in numbers]


@pytest.mark.parametrize(
    ("dense", "sparse", "best"),
    [
        (alike(1, 1), leg(1), 1.0),
        (alike(0.4, 1), leg(1), 0.7),
        (alike(1, 1), [], 0.75),
        ([], leg(1), 0.25),
        (alike(0, 1), leg(1), 0.5),
        (alike(-0.3, 1), leg(1), 0.5),
        (alike(1.0000001, 1), leg(1), 1.0),
        (alike(0.8, 2, 1), leg(3, 1), 0.5 * 20 / 21 + 0.4),
    ],
    ids=[
        "all",
        "half as similar",
        "meaning only",
        "words only",
        "not similar",
        "opposite",
        "rounded up",
        "second in both",
    ],
)
def test_a_score_tells_how_far_both_legs_and_the_meaning_agree(dense, sparse, best):
    assert fuse(Matches(dense, sparse), BOTH_LEGS)[0].score == pytest.approx(best)


def test_what_the_dense_leg_did_not_reach_counts_as_similar_as_its_last():
    matches = fuse(Matches(alike(0.9, 1) + alike(0.3, 2), leg(3)), BOTH_LEGS)
    assert {match.chunk_index: match.score for match in matches}[3] == pytest.approx(0.25 + 0.15)


def test_where_words_decide_similarity_adds_nothing():
    assert fuse(Matches(alike(1, 1), leg(2)), WORDS_FIRST)[1].score == pytest.approx(0.005)


def test_equal_scores_come_in_a_fixed_order():
    forward = fuse(Matches(alike(0, 1), leg(2)), BOTH_LEGS)
    backward = fuse(Matches(alike(0, 2), leg(1)), BOTH_LEGS)
    assert numbers(forward) == numbers(backward) == [1, 2]


def test_no_order_comes_of_no_matches():
    assert fuse(Matches([], []), BOTH_LEGS) == []


@pytest.mark.parametrize(
    ("query", "known"),
    [
        ("What is a trace tree?", True),
        ("Who wrote the café review?", True),
        ("1984", True),
        ("پایتخت ایران کجاست؟", False),
        ("столица России", False),
        ("größe übergrößen", False),
        ("日本の首都", False),
        ("API چیست و چگونه کار می‌کند", False),
    ],
)
def test_the_script_of_a_query_tells_whether_it_may_be_english(query, known):
    assert knows_script(query) is known


@pytest.mark.parametrize(
    ("languages", "weights"),
    [
        ([], BOTH_LEGS),
        (["en"] * 3, BOTH_LEGS),
        (["", "", "de"], WORDS_FIRST),
        (["de", "de", "en"], WORDS_FIRST),
        (["de", "en"], BOTH_LEGS),
        (["en"] * 10 + ["de"] * 40, BOTH_LEGS),
    ],
)
def test_the_languages_of_the_documents_that_words_find_have_a_vote(languages, weights):
    found = [make_match(number, language=language) for number, language in enumerate(languages)]
    assert weigh_legs("was ist ein haus", found, ENGLISH) == weights


def test_a_model_that_knows_all_languages_keeps_both_legs():
    assert weigh_legs("столица", leg(1, language="ru"), None) == BOTH_LEGS


@pytest.mark.parametrize(
    ("query", "weights"),
    [
        ("QX-4711", WORDS_FIRST),
        ("RFC8037 2025-01-17", WORDS_FIRST),
        ("RFC 8037", BOTH_LEGS),
        ("what is 4711", BOTH_LEGS),
    ],
)
def test_a_query_of_nothing_but_codes_is_decided_by_words(query, weights):
    assert weigh_legs(query, leg(1, language="en"), None) == weights


async def test_a_query_is_paid_for_before_the_model_is_called_and_once():
    searcher = make_searcher(leg(1))
    for _ in range(3):
        await search(searcher, "who built it?")
    assert [tokens for _, _, tokens in searcher.allowance.spent] == [len("who built it?")]


async def test_where_the_plan_has_no_tokens_left_no_model_is_called():
    searcher = make_searcher(leg(1))
    searcher.allowance.left = 3
    with pytest.raises(AppError, match="allows no more"):
        await search(searcher, "who built it?")
    assert searcher.embedder.embedded == []
