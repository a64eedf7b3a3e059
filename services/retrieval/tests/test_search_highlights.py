import time
from dataclasses import replace

import pytest

from language.sentences import split_sentences
from retrieval.convert import to_hit_proto
from retrieval.model import Chunk, DocumentVersion, Hit
from retrieval.search import readings
from retrieval.search.highlights import CONTEXT, MOST, PART, WEAK, highlight
from servicekit.memory import Memory

PIER = "The pier is old. Clara Voss built the pier in 1887. Trams ran on it. Who built the trams? Nobody knows."


def make_hit(text, *, language="en", title="", headings=(), start=0):
    version = DocumentVersion("t", "d", "v", "c", "", "a.pdf", title, language)
    return Hit(version, Chunk(0, text, start, start + len(text), 1, 1, tuple(headings)), 0.5)


def said(hit):
    origin = hit.chunk.start_offset
    return [hit.chunk.text[one.start_offset - origin : one.end_offset - origin] for one in hit.highlights]


def best(query, text, **version):
    return said(*highlight(query, [make_hit(text, **version)]))[:1]


@pytest.mark.parametrize(
    ("language", "query", "text", "sentence"),
    [
        ("en", "Who built the pier?", PIER, "Clara Voss built the pier in 1887."),
        ("de", "Welche Häuser stehen am See?", "Der Wald ist alt. Am See steht ein Haus.", "Am See steht ein Haus."),
        ("ru", "Кто построил мосты?", "Лес стар. Мост построили в городе.", "Мост построили в городе."),
        ("fa", "كتابهاي قديمي", "هوا خوب است. کتاب‌های قدیمی آنجاست.", "کتاب‌های قدیمی آنجاست."),
        ("ar", "ما المدرسة القديمة؟", "الجو جميل. هذه مدرسة قديمة.", "هذه مدرسة قديمة."),
        ("zh", "首都是哪里？", "这里很美。法国的首都很大。", "法国的首都很大。"),
        ("ja", "首都はどこですか", "美しい町です。日本の首都は東京です。", "日本の首都は東京です。"),
        ("th", "เมืองหลวงคืออะไร", "อากาศดี\n\nเมืองหลวงใหญ่มาก", "เมืองหลวงใหญ่มาก"),
        ("", "Who built the pier?", PIER, "Clara Voss built the pier in 1887."),
        ("xx", "pier 1887", PIER, "Clara Voss built the pier in 1887."),
    ],
)
def test_the_sentence_that_covers_most_of_the_query_comes_first(language, query, text, sentence):
    assert best(query, text, language=language) == [sentence]


def test_a_hit_has_few_highlights_best_first_within_its_own_text():
    text = f"{PIER} The pier rusts. The pier is wet. The pier stands."
    (hit,) = highlight("pier trams Clara Voss", [make_hit(text, start=1000)])
    scores = [one.score for one in hit.highlights]
    assert len(scores) == MOST
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    assert all(1000 <= one.start_offset < one.end_offset <= 1000 + len(text) for one in hit.highlights)


def test_the_score_is_the_share_of_the_querys_weight():
    hits = highlight("old pier tungsten", [make_hit("The pier is old."), make_hit("Nothing here.")])
    whole = highlight("old pier", [make_hit("The pier is old."), make_hit("Nothing here.")])
    assert whole[0].highlights[0].score == 1
    # Held by one sentence against none, of 30: log(1 + 29.5 / 1.5) against log(1 + 30.5 / 0.5).
    assert hits[0].highlights[0].score == pytest.approx(2 * 3.0285 / (2 * 3.0285 + 4.1271), abs=1e-4)
    assert hits[1].highlights == ()


@pytest.mark.parametrize(
    "context", [{"title": "The pier"}, {"headings": ("Towns", "A pier")}], ids=["in the title", "in a heading"]
)
def test_what_stands_above_a_sentence_counts_for_a_part(context):
    (bare,) = highlight("pier made 1887", [make_hit("It was made in 1887.")])
    (hit,) = highlight("pier made 1887", [make_hit("It was made in 1887.", **context)])
    missing = 1 - bare.highlights[0].score
    assert hit.highlights[0].score == pytest.approx(bare.highlights[0].score + CONTEXT * missing)


def test_the_subject_of_the_sentence_before_counts_for_a_part():
    text = "The bridge is old. It was made in 1887. The wall was made in 1888."
    assert best("When was the bridge made?", text) == ["It was made in 1887."]


def test_a_sentence_may_tell_of_what_only_the_title_names():
    text = "Trams ran here. It was designed by Clara Voss."
    assert "It was designed by Clara Voss." in said(
        *highlight("the Halden pier", [make_hit(text, title="Halden pier")])
    )


@pytest.mark.parametrize(
    ("query", "text", "part"),
    [
        ("Uhr", "Die Uhrzeit.", 0),
        ("Turm", "Der Kirchturm von Lindau.", 1),
        ("Kirchturm", "Der Turm von Lindau.", 0),
        ("Kirchturm", "Die Kirche von Lindau.", 5 / 9),
        ("Brückenbau", "Die Brücke von Lindau.", 5 / 10),
        ("Moderator", "Die Moderation begann.", 7 / 9),
        ("Moderator", "Das Modell begann.", 0),
        ("Sonne", "Es regnet in Lindau.", 0),
    ],
)
def test_a_part_of_a_word_counts_by_its_letters(query, text, part):
    (hit,) = highlight(query, [make_hit(text, language="de")])
    assert (hit.highlights[0].score if hit.highlights else 0) == pytest.approx(PART * part)


@pytest.mark.parametrize("weak", ["Who built the old pier?", "The old pier", "این اسکلهٔ old pier کجاست؟"])
def test_headings_and_questions_give_way_to_statements(weak):
    text = f"{weak}\n\nSailors call the old pier a wreck, though it stands."
    found = highlight("old pier", [make_hit(text)])
    assert said(*found) == ["Sailors call the old pier a wreck, though it stands.", weak]
    assert [one.score for one in found[0].highlights] == [1, WEAK]


def relevance(query, text, *, by_meaning=False, similarity=0.0, **version):
    (hit,) = highlight(query, [replace(make_hit(text, **version), similarity=similarity)], by_meaning=by_meaning)
    return hit.relevance


@pytest.mark.parametrize(
    ("language", "query", "about", "other"),
    [
        ("en", "Who built the pier in 1887?", PIER, "The wall was built of stone. It is high."),
        ("de", "Wer baute die Seebrücke 1887?", "Die Seebrücke steht seit 1887.", "Er baute viel. Es war 1890."),
        ("ru", "Кто построил старый мост?", "Мост стар. Его построил Иван.", "Дом построил Иван. Он высокий."),
        ("fa", "چه کسی اسکلهٔ قدیمی را ساخت؟", "اسکلهٔ قدیمی اینجاست.", "دیوار را علی ساخت."),
        ("ar", "من بنى الرصيف القديم؟", "الرصيف القديم هنا.", "الجدار من الحجر القديم."),
        ("zh", "谁建造了旧码头？", "旧码头是沃斯建造的。", "这座墙是石头的，很旧。"),
    ],
)
def test_relevance_tells_what_is_about_the_query_from_what_shares_a_word(language, query, about, other):
    assert relevance(query, about, language=language) >= 0.5 > relevance(query, other, language=language)


@pytest.mark.parametrize(("query", "text"), [("FM", "This is FM."), ("龙", "这是龙。"), ("the pier", "A pier.")])
def test_what_holds_the_whole_query_is_relevant_however_short_it_is(query, text):
    assert relevance(query, text) == 1
    assert relevance(query, "Nothing here.") == 0


def test_words_in_sentences_far_apart_do_not_add_up():
    near, far = (f"The harbour is old. {'It rains. ' * count}Storms came." for count in (1, 3))
    assert relevance("harbour storms tungsten", near) > relevance("harbour storms tungsten", far)


@pytest.mark.parametrize(
    ("text", "context"),
    [("A pier. The pier is wet.", {}), ("A pier. It is wet.", {"title": "The pier"})],
    ids=["repeated", "in the title"],
)
def test_what_a_passage_is_about_speaks_louder_than_what_it_mentions(text, context):
    assert relevance("pier tungsten salt", text, **context) > relevance("pier tungsten salt", "A pier. It is wet.")


def test_meaning_adds_to_the_words_only_where_the_model_can_judge():
    words = relevance("pier rust", "A pier.", similarity=0.6)
    assert words == relevance("pier rust", "A pier.")
    assert relevance("pier rust", "A pier.", by_meaning=True, similarity=0.6) == pytest.approx(0.6 + words / 2)
    assert relevance("tungsten", "A pier.", by_meaning=True, similarity=0.6) == pytest.approx(0.6)
    assert relevance("pier rust", "A pier.", by_meaning=True, similarity=0.95) == 1
    assert relevance("tungsten", "A pier.", by_meaning=True, similarity=-0.2) == 0
    assert relevance("what is it", "A pier.") == 0


def test_a_rare_word_of_the_query_weighs_more_than_a_frequent_one():
    text = "The pier is long. The pier is wide. The pier is red. Storms bring rust. The red paint peels."
    assert best("pier rust", text) == ["Storms bring rust."]


@pytest.mark.parametrize("query", ["tungsten", "what is it", "?", "🚀"])
def test_where_nothing_of_the_query_stands_nothing_is_highlighted(query):
    assert highlight(query, [make_hit(PIER)])[0].highlights == ()


def test_the_order_and_all_else_of_the_hits_stays():
    hits = [make_hit("Nothing here."), make_hit(PIER, language="de"), make_hit("The pier.")]
    found = highlight("pier", hits)
    assert [(one.version, one.chunk, one.score) for one in found] == [(o.version, o.chunk, o.score) for o in hits]
    assert highlight("pier", []) == []


def test_highlights_go_out_with_their_hit():
    (hit,) = highlight("Who built the pier?", [make_hit(PIER, start=40)])
    (first, *_) = to_hit_proto(hit).highlights
    assert PIER[first.start_offset - 40 : first.end_offset - 40] == "Clara Voss built the pier in 1887."
    assert first.score == pytest.approx(hit.highlights[0].score)
    assert to_hit_proto(hit).relevance == pytest.approx(hit.relevance)
    (other,) = highlight("tungsten", [make_hit(PIER)])
    assert to_hit_proto(other).HasField("relevance")


@pytest.mark.parametrize("text", ["word. " * 1600, "a" * 9_999, "字。" * 4_900, "?! " * 3_300, "x\n" * 4_900])
def test_a_long_query_over_fifty_hostile_hits_ends_soon(text):
    query = " ".join(f"term{number}" for number in range(1_000))
    started = time.process_time()
    highlight(query, [make_hit(text)] * 50)
    assert time.process_time() - started < 8


def test_a_passage_is_read_once_however_often_it_is_found(monkeypatch):
    read = []
    monkeypatch.setattr(readings, "_readings", Memory(100_000))
    monkeypatch.setattr(readings, "split_sentences", lambda text: read.append(text) or split_sentences(text))
    hit = make_hit("The ferry leaves at nine. It returns at noon.")
    first = highlight("When does the ferry leave?", [hit])
    assert highlight("When does the ferry leave?", [hit]) == first
    highlight("When does it return?", [hit])
    # The same place of another text, as after a document was indexed anew, is another passage.
    highlight("When does it return?", [make_hit("The ferry returns at one.")])
    assert read == ["The ferry leaves at nine. It returns at noon.", "The ferry returns at one."]
