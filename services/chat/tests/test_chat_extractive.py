import pytest

from chat.model import Exchange, FinishReason, ProviderFinish, ProviderQuote, ProviderText
from chat.providers.extractive import ExtractiveProvider
from chat.providers.question_type import QuestionType, classify, counts_thing, find_counted, rate_definition
from chat.turn.build_prompt import NO_ANSWER_SENTENCE, build_prompt

RADIO = (
    "2 The history of radio\nRadio changed the way people heard the news. In 1933, Edwin Howard Armstrong invented FM "
    "radio in a laboratory in New York. Many stations were slow to adopt it [12]. "
    "[3] Armstrong, E. H. A method of FM radio. In Proceedings of the Institute, pp. 12-20, 1936."
)
ARMSTRONG = "In 1933, Edwin Howard Armstrong invented FM radio in a laboratory in New York."
TREES = (
    "Figure 3. A trace tree with two branches.\nThe trace tree is compiled when it is hot. A trace tree is a set of "
    "traces that share one anchor and grow with each exit. How does a trace tree grow?"
)
CITY = "The city has 12 bridges and four gates. The city lies in Northern Italy. It was built because trade needed it."
PERSIAN = "رادیو در سال ۱۹۳۳ اختراع شد. درخت ردیابی مجموعه‌ای از ردها است که یک لنگر دارند. هوا خوب است."


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


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("Who invented FM radio?", ARMSTRONG),
        (
            "When was FM radio invented?",
            "In 1933, Edwin Howard Armstrong invented FM radio in a laboratory in New York.",
        ),
        (
            "What is a trace tree?",
            "A trace tree is a set of traces that share one anchor and grow with each exit.",
        ),
        ("How many bridges does the city have?", "The city has 12 bridges and four gates."),
        ("Where does the city lie?", "The city lies in Northern Italy."),
        ("رادیو در چه سالی اختراع شد؟", "رادیو در سال ۱۹۳۳ اختراع شد."),
        ("درخت ردیابی چیست؟", "درخت ردیابی مجموعه‌ای از ردها است که یک لنگر دارند."),
        ("درخت رديابي چيست؟", "درخت ردیابی مجموعه‌ای از ردها است که یک لنگر دارند."),
    ],
)
async def test_the_best_sentence_comes_first_and_verbatim(make_passage, question, quote):
    passages = [make_passage(text, marker) for marker, text in enumerate((RADIO, TREES, CITY, PERSIAN), start=1)]
    parts = await ask(question, *passages)
    first = quotes_of(parts)[0]
    assert first.quote == quote
    assert quote in passages[first.marker - 1].text
    assert parts[-1] == ProviderFinish(FinishReason.STOP)


@pytest.mark.parametrize(
    "question", ["What is the boiling point of tungsten?", "Who won the 1998 World Cup?", "نفت چیست؟"]
)
async def test_it_says_plainly_when_nothing_fits(make_passage, question):
    parts = await ask(question, make_passage(RADIO, 1), make_passage(TREES, 2), make_passage(PERSIAN, 3))
    assert text_of(parts) in NO_ANSWER_SENTENCE.values()
    assert quotes_of(parts) == []
    assert parts[-1] == ProviderFinish(FinishReason.NO_ANSWER)


async def test_without_passages_there_is_no_answer():
    assert (await ask("What is it?"))[-1] == ProviderFinish(FinishReason.NO_ANSWER)


async def test_it_speaks_in_phrases_and_loses_nothing(make_passage):
    text = f"The zebra is an animal with many stripes {'x' * 90} on its body, and some more words behind them."
    deltas = [part.text for part in await ask("What is a zebra?", make_passage(text)) if isinstance(part, ProviderText)]
    assert "".join(deltas) == f"{text} "
    assert len(deltas) <= 6


async def test_a_definition_stands_alone(make_passage):
    text = (
        "The tracer calls Emerald often in the lab. Many people in the lab have seen the Emerald tracer run. "
        "We call the resulting machine Emerald."
    )
    parts = await ask("What is Emerald?", make_passage(text, 1), make_passage(TREES, 2))
    assert [quote.quote for quote in quotes_of(parts)] == ["We call the resulting machine Emerald."]


async def test_without_a_definition_the_best_sentences_stay(make_passage):
    text = "Emerald runs on two machines in the lab. The lab pays for Emerald with its own money."
    assert len(quotes_of(await ask("What is Emerald?", make_passage(text)))) == 2


async def test_how_many_is_not_answered_by_a_sentence_that_counts_nothing(make_passage):
    text = (
        "The city built its bridges when trade needed them, as line 4 of the map shows. The city has bridges in 3 "
        "styles. If the city had 12 bridges, who would pay for them?"
    )
    parts = await ask("How many bridges does the city have?", make_passage(text), make_passage(TREES, 2))
    assert parts[-1] == ProviderFinish(FinishReason.NO_ANSWER)


@pytest.mark.parametrize(
    ("question", "sentence", "counts"),
    [
        ("How many bridges are there?", "There are 12 bridges.", True),
        ("How many bridges are there?", "It has twelve long (2 km) stone bridges.", True),
        ("How many bridges are there?", "Eleven of the bridges are old.", True),
        ("How many bridges are there?", "The number of bridges is 12.", True),
        ("How many bridges are there?", "It has no bridge.", True),
        ("How many bridges are there?", "It has one bridge.", True),
        ("How many lines of code does it have?", "It has 2,500 lines.", True),
        ("How many lines of code does it have?", "The trace T45 covers lines 4 and 5.", False),
        ("How many lines of code does it have?", "Because i is 4, the branch on line 2 is taken.", False),
        ("How many lines of code does it have?", "It takes 35 cycles per line.", False),
        ("How many bridges are there?", "It has two advantages: bridges are short.", False),
        ("How many bridges are there?", "A number of bridges fell in two years.", False),
        ("این شهر چند پل دارد؟", "این شهر ۱۲ پل دارد.", True),
        ("این شهر چند تا پل دارد؟", "این شهر دوازده پل دارد.", True),
        ("این شهر چند پل دارد؟", "پل شماره ۱۲ در این شهر است.", False),
        ("How are bridges built?", "It has 12 bridges.", False),
    ],
)
def test_counting_is_told_from_numbers_nearby(question, sentence, counts):
    assert counts_thing(find_counted(question), sentence) is counts


async def test_a_conditional_clause_defines_nothing(make_passage):
    text = (
        "If a loop has one, we call the loop as a nested trace tree. "
        "A trace grows on demand to a multiple-exit trace tree. Trees are green."
    )
    parts = await ask("What is a trace tree?", make_passage(text))
    assert quotes_of(parts)[0].quote == "A trace grows on demand to a multiple-exit trace tree."


@pytest.mark.parametrize(
    ("sentence", "answered"),
    [
        ("The Sun suite consists of 26 short (under 2 s) programs.", True),
        ("The Sun suite took 26 of the machine.", False),
        ("The benchmarks of the Sun suite have 26 authors.", False),
        ("Another suite has 26 programs.", False),
        ("All 26 programs are older than the Sun suite.", False),
    ],
)
async def test_what_is_counted_may_have_another_name(make_passage, sentence, answered):
    parts = await ask("How many benchmarks are in the Sun suite?", make_passage(f"{sentence} Birds sing."))
    assert [quote.quote for quote in quotes_of(parts)] == [sentence] * answered


@pytest.mark.parametrize(
    ("heading", "answer"),
    [
        ("Eldred", "The Supreme Court had affirmed the decision of the Court of Appeals."),
        ("Causby", "Many expected that Eldred v. Ashcroft would die before the Supreme Court could decide it."),
    ],
)
async def test_a_decision_is_told_by_a_verb_of_deciding_about_the_same_case(make_passage, heading, answer):
    expected = "Many expected that Eldred v. Ashcroft would die before the Supreme Court could decide it."
    told = "I rejected it. The Supreme Court had affirmed the decision of the Court of Appeals. Birds sing."
    passages = [make_passage(expected, 1), make_passage(told, 2, heading_path=(heading,))]
    parts = await ask("What did the Supreme Court decide in Eldred v. Ashcroft?", *passages)
    assert quotes_of(parts)[0].quote == answer


async def test_overlapping_passages_do_not_make_it_say_things_twice(make_passage):
    parts = await ask("Who invented FM radio?", make_passage(RADIO, 1), make_passage(RADIO, 2))
    quotes = [part.quote for part in quotes_of(parts)]
    assert len(quotes) == len(set(quotes))
    assert 1 <= len(quotes) <= 3


async def test_brackets_of_the_source_are_no_markers_of_the_answer(make_passage):
    text = "Zebras adopt stripes early in life [12]. Other things happen elsewhere in the world."
    parts = await ask("When do zebras adopt stripes?", make_passage(text))
    assert "[12]" not in text_of(parts)
    assert "(12)" in text_of(parts)
    assert quotes_of(parts)[0].quote.endswith("[12].")


async def test_broken_lines_are_joined_for_reading_and_kept_in_the_quote(make_passage):
    text = "The zebra is an ani-\nmal with many\nstripes on its body."
    parts = await ask("What is a zebra?", make_passage(text))
    assert text_of(parts).strip() == "The zebra is an animal with many stripes on its body."
    assert quotes_of(parts)[0].quote == text


async def test_the_same_question_gives_the_same_answer(make_passage):
    passages = [make_passage(RADIO, 1), make_passage(TREES, 2)]
    assert await ask("What about radio stations?", *passages) == await ask("What about radio stations?", *passages)


async def test_a_follow_up_is_answered_with_the_subject_before_it(make_passage):
    history = [Exchange("What is a trace tree?", "A set.")]
    parts = await ask("When is it compiled?", make_passage(RADIO, 1), make_passage(TREES, 2), history=history)
    assert quotes_of(parts)[0].quote == "The trace tree is compiled when it is hot."


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is X?", QuestionType.DEFINITION),
        ("Who wrote the very first of these long books?", QuestionType.PERSON),
        ("When did it end?", QuestionType.TIME),
        ("How many are there?", QuestionType.COUNT),
        ("Where is it kept?", QuestionType.PLACE),
        ("Why did it fail?", QuestionType.REASON),
        ("Compare both.", QuestionType.OTHER),
        ("چرا شکست خورد؟", QuestionType.REASON),
        ("پایتخت کجا قرار دارد؟", QuestionType.PLACE),
    ],
)
def test_the_kind_of_a_question_is_read_off_its_words(question, kind):
    assert classify(question) is kind


@pytest.mark.parametrize(
    ("sentence", "rating"),
    [
        ("A trace tree is a set.", 1.0),
        ("Trace trees consist of traces.", 1.0),
        ("This is called a trace tree.", 1.0),
        ("It records a trace tree covering all paths.", 0.5),
        ("We recompile the trace tree often.", 0.0),
        ("We call the resulting shape trace tree.", 1.0),
        ("A trace tree is just one more shape.", 1.0),
        ("A trace tree is “grown by need”.", 1.0),
        ("In a virtual machine, a trace tree is a set.", 1.0),
        ("The growing shape, trace tree, is kept.", 0.5),
        ("Two of them form a tree of traces (trace tree).", 0.5),
        ("A part of a trace tree is a branch.", 0.0),
        ("We call these trace tree instructions.", 0.0),
        ("The machine calls the trace tree.", 0.0),
        ("The nested trace tree is a set of trees.", 0.5),
        ("We call it as a nested trace tree.", 0.5),
    ],
)
def test_definitions_are_told_from_mentions(sentence, rating):
    assert rate_definition("trace tree", sentence) == rating
