import time

import pytest

from chat.clients.search import to_passage
from chat.model import Exchange, FinishReason, Highlight, ProviderFinish, ProviderQuote, ProviderText
from chat.providers.choose_highlights import (
    ENOUGH_CHARACTERS,
    LEAST_RELEVANCE,
    LONGEST,
    MAX_CHARACTERS,
    MAX_QUOTES,
    cut_clauses,
)
from chat.providers.extractive import ExtractiveProvider
from chat.providers.general_requests import ABILITIES, find_request_language
from chat.turn.build_prompt import NO_ANSWER_SENTENCE, build_prompt
from docuchat.retrieval.v1 import hit_pb2

FM = "Edwin Armstrong invented FM radio in New York [12]."
NEWS = "Radio changed the news."
SLOW = "Many stations were slow to adopt it."
RADIO = f"{NEWS} {FM} {SLOW}"
BRIDGES = "The city has 12 bridges."


@pytest.fixture
def lit(make_passage):
    """Makes a passage with sentences of it highlighted."""

    def make(text, *found, marker=1, relevance=1.0):
        bare = make_passage(text, marker)
        places = [(bare.start_offset + text.index(sentence), sentence, score) for sentence, score in found]
        highlights = tuple(Highlight(start, start + len(sentence), score) for start, sentence, score in places)
        return make_passage(text, marker, highlights=highlights, relevance=relevance)

    return make


class Parts(list):
    async def put(self, part):
        self.append(part)


async def ask(question, *passages, history=()):
    prompt = build_prompt(question, history, passages, count_tokens=len, budget=10**6)
    parts = Parts()
    finish = await ExtractiveProvider().write(prompt, parts)
    return [*parts, finish]


def text_of(parts):
    return "".join(part.text for part in parts if isinstance(part, ProviderText))


def quotes_of(parts):
    return [part for part in parts if isinstance(part, ProviderQuote)]


async def test_the_best_highlights_of_all_passages_are_quoted_verbatim_best_first(lit):
    parts = await ask(
        "Who invented FM radio?",
        lit(f"{BRIDGES} It was built of stone.", (BRIDGES, 0.5), marker=1),
        lit(RADIO, (FM, 0.9), (SLOW, 0.4), marker=2),
    )
    assert [(one.marker, one.quote) for one in quotes_of(parts)] == [
        (2, FM),
        (1, "The city has 12 bridges."),
        (2, SLOW),
    ]
    assert parts[-1] == ProviderFinish(FinishReason.STOP)


@pytest.mark.parametrize(("relevance", "found"), [(LEAST_RELEVANCE - 0.01, [(FM, 1.0)]), (0.0, []), (1.0, [])])
@pytest.mark.parametrize("question", ["What is the boiling point of tungsten?", "نقطهٔ جوش تنگستن چیست؟"])
async def test_it_says_plainly_when_no_passage_is_about_the_question(lit, question, relevance, found):
    parts = await ask(question, lit(RADIO, *found, relevance=relevance))
    assert text_of(parts) in NO_ANSWER_SENTENCE.values()
    assert quotes_of(parts) == []
    assert parts[-1] == ProviderFinish(FinishReason.NO_ANSWER)


async def test_without_passages_there_is_no_answer():
    assert (await ask("Who invented FM radio?"))[-1] == ProviderFinish(FinishReason.NO_ANSWER)


async def test_one_relevant_passage_is_enough_and_all_may_be_quoted(lit):
    passages = lit(RADIO, (FM, 0.1), relevance=LEAST_RELEVANCE), lit(BRIDGES, (BRIDGES, 0.9), marker=2, relevance=0.0)
    assert [one.quote for one in quotes_of(await ask("Who invented it?", *passages))] == [BRIDGES, FM]


async def test_what_the_better_hit_says_comes_first_where_the_words_leave_it_open(lit):
    passages = lit(BRIDGES, (BRIDGES, 0.5)), lit(RADIO, (FM, 0.52), (NEWS, 0.5), marker=2)
    assert [one.quote for one in quotes_of(await ask("Which one?", *passages))] == [BRIDGES, FM, NEWS]


@pytest.mark.parametrize("repeats", [1, 8, 20, 40])
async def test_an_answer_has_few_quotes_and_some_hundred_characters(lit, repeats):
    sentences = [f"{word} " * repeats + "ends." for word in ("Alpha", "Beta", "Gamma", "Delta", "Zeta", "Eta", "Theta")]
    found = [(sentence, 0.9 - place / 10) for place, sentence in enumerate(sentences)]
    quotes = [one.quote for one in quotes_of(await ask("What ends?", lit(" ".join(sentences), *found)))]
    assert quotes == sentences[: len(quotes)]
    assert len(quotes) <= MAX_QUOTES
    assert sum(map(len, quotes)) <= MAX_CHARACTERS
    assert len(quotes) == MAX_QUOTES or sum(map(len, [*quotes, sentences[len(quotes)]])) > ENOUGH_CHARACTERS
    assert sum(map(len, quotes[:-1])) < ENOUGH_CHARACTERS


async def test_what_would_be_too_long_gives_way_to_what_fits(lit):
    long = ["word " * 55 + f"and {end} at last." for end in ("gold", "iron")]
    text = " ".join([*long, NEWS])
    quotes = quotes_of(await ask("Which words?", lit(text, (long[0], 0.9), (long[1], 0.8), (NEWS, 0.7))))
    assert [one.quote for one in quotes] == [long[0], NEWS]


async def test_passages_that_overlap_do_not_make_it_say_things_twice(lit):
    other = "Edwin Armstrong invented the FM radio in New York, too."
    passages = [lit(RADIO, (FM, 0.9)), lit(RADIO, (FM, 0.9), marker=2), lit(other, (other, 0.8), marker=3)]
    assert [one.quote for one in quotes_of(await ask("Who invented FM radio?", *passages))] == [FM]


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Who tuned the tall antenna?", "the antenna was tall and was tuned by Ada"),
        ("What about the first thing?", "The first thing"),
    ],
)
async def test_a_sentence_that_is_too_long_is_cut_at_clauses_around_what_is_asked(lit, question, kept):
    filler = ", ".join(f"clause number {number} says little" for number in range(12))
    sentence = f"The first thing is that {filler}; the antenna was tall and was tuned by Ada, as said."
    passage = lit(f"Before. {sentence}", (sentence, 0.9))
    (quote,) = quotes_of(await ask(question, passage))
    assert kept in quote.quote
    assert quote.quote in passage.text
    assert len(quote.quote) <= LONGEST


@pytest.mark.parametrize("text", ["a" * 9000, "字" * 9000, "a, " * 3000, "word " * 2000, ",;" * 4500])
def test_any_long_sentence_is_cut(text):
    started = time.process_time()
    cut = cut_clauses("word 字", text)
    assert time.process_time() - started < 0.5
    assert 0 < len(cut) <= LONGEST
    assert cut in text


async def test_highlights_come_with_the_hit():
    hit = hit_pb2.Hit(text=RADIO, start_offset=40, end_offset=40 + len(RADIO), language="en", relevance=0.75)
    hit.highlights.add(start_offset=40, end_offset=40 + len(NEWS), score=0.5)
    passage = to_passage(1, hit)
    assert (passage.language, passage.relevance) == ("en", 0.75)
    assert passage.highlights == (Highlight(40, 40 + len(NEWS), 0.5),)
    assert [one.quote for one in quotes_of(await ask("What changed?", passage))] == [NEWS]


@pytest.mark.parametrize(("judged", "quotes"), [({}, [NEWS]), ({"relevance": 0.0}, [])], ids=["unset", "0"])
async def test_a_search_that_does_not_judge_leaves_it_to_the_highlights(judged, quotes):
    hit = hit_pb2.Hit(text=RADIO, end_offset=len(RADIO), language="en", **judged)
    hit.highlights.add(start_offset=0, end_offset=len(NEWS), score=0.5)
    assert [one.quote for one in quotes_of(await ask("What changed?", to_passage(1, hit)))] == quotes


async def test_it_speaks_in_phrases_and_loses_nothing(lit):
    text = f"The zebra is an animal with many stripes {'x' * 90} on its body, and some more words behind them."
    parts = await ask("What is a zebra?", lit(text, (text, 0.9)))
    deltas = [part.text for part in parts if isinstance(part, ProviderText)]
    assert "".join(deltas) == f"{text} "
    assert len(deltas) <= 6


async def test_brackets_of_the_source_are_no_markers_of_the_answer(lit):
    parts = await ask("Who invented FM radio?", lit(RADIO, (FM, 0.9)))
    assert "[12]" not in text_of(parts)
    assert "(12)" in text_of(parts)
    assert quotes_of(parts)[0].quote.endswith("[12].")


async def test_broken_lines_are_joined_for_reading_and_kept_in_the_quote(lit):
    text = "The zebra is an ani-\nmal with many\nstripes on its body."
    parts = await ask("What is a zebra?", lit(text, (text, 0.9)))
    assert text_of(parts).strip() == "The zebra is an animal with many stripes on its body."
    assert quotes_of(parts)[0].quote == text


GENERAL = {
    "en": "What is this about?|hi|Thanks a lot|good morning|Can you give me a summary of the document please?|tl;dr|"
    "Who are you?|What can you do?|Write a brief summary of the report",
    "de": "Worum geht es in dem Dokument?|Fasse den Text zusammen|Guten Tag!|Was steht in der Datei?|Danke schön",
    "ru": "О чём этот документ?|Кратко перескажи текст|Здравствуйте|Кто ты?|Сделай краткое содержание",
    "fa": "این سند درباره چیست؟|متن را خلاصه کن|سلام|نکات اصلی چیست؟",
    "ar": "ما موضوع هذا المستند؟|لخص هذا النص|السلام عليكم|ماذا تستطيع أن تفعل؟",
    "zh": "这是关于什么的？|你好|请概括主要内容|给我一个摘要",
}
PARTICULAR = (
    "What is copyright?|What is the main idea of chapter 3?|Who wrote the book?|Wer ist Goethe?|پایتخت کجاست؟|"
    "من اخترع الراديو؟|Сколько стоит билет?|书是谁写的？|Summarise the Causby case|42|龙是什么？"
)


@pytest.mark.parametrize(
    ("language", "question"), [(one, question) for one in GENERAL for question in GENERAL[one].split("|")]
)
async def test_requests_that_name_nothing_are_answered_in_six_languages_with_what_can_be_asked(lit, language, question):
    parts = await ask(question, lit(RADIO, (FM, 1.0)))
    assert text_of(parts) == ABILITIES[language]
    assert quotes_of(parts) == []
    assert parts[-1] == ProviderFinish(FinishReason.NO_ANSWER)


@pytest.mark.parametrize("question", PARTICULAR.split("|"))
def test_a_question_that_names_something_is_looked_for(question):
    assert find_request_language(question, has_history=False) is None


async def test_a_follow_up_without_words_of_its_own_is_answered_from_what_the_search_found(lit):
    history = [Exchange("Who invented FM radio?", "Armstrong.")]
    assert quotes_of(await ask("Why?", lit(RADIO, (FM, 0.9)), history=history))
    assert text_of(await ask("Summarise it", lit(RADIO, (FM, 0.9)), history=history)) == ABILITIES["en"]
