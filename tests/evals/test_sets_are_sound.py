"""A mistake in a question set would be measured as a mistake of the product."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COLLECTIONS = HERE / "sets", HERE / "held_out"
LANGUAGES = ("ar", "de", "en", "fa", "ru", "zh")
HEADER = "query-id\tcorpus-id\tscore"
FEWEST_PASSAGES, FEWEST_ANSWERABLE, FEWEST_OFF_TOPIC = 20, 40, 10


class QuestionSet:
    def __init__(self, folder):
        self.passages = read_rows(folder / "corpus.jsonl")
        self.questions = read_rows(folder / "queries.jsonl")
        self.header, *lines = (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
        self.judgements = [tuple(line.split("\t")) for line in lines]
        self.text_of = {passage["_id"]: passage["text"].casefold() for passage in self.passages}
        self.relevant = defaultdict(list)
        for question, passage, _ in self.judgements:
            self.relevant[question].append(passage)

    @property
    def answerable(self):
        return [question for question in self.questions if question["answers"]]

    @property
    def off_topic(self):
        return [question for question in self.questions if not question["answers"]]


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def repeated(values):
    return [value for value, count in Counter(values).items() if count > 1]


@pytest.fixture(
    scope="module",
    params=[folder / language for folder in COLLECTIONS for language in LANGUAGES],
    ids=lambda folder: f"{folder.parent.name}-{folder.name}",
)
def question_set(request):
    return QuestionSet(request.param)


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda folder: folder.name)
def test_every_folder_is_a_known_language(collection):
    assert sorted(folder.name for folder in collection.iterdir() if folder.is_dir()) == sorted(LANGUAGES)


def test_every_answer_stands_in_a_relevant_passage(question_set):
    missing = [
        (question["_id"], answer)
        for question in question_set.answerable
        for answer in question["answers"]
        if not any(
            answer.casefold() in question_set.text_of[passage] for passage in question_set.relevant[question["_id"]]
        )
    ]
    assert not missing


def test_every_relevant_passage_holds_an_answer(question_set):
    empty = [
        (question["_id"], passage)
        for question in question_set.answerable
        for passage in question_set.relevant[question["_id"]]
        if not any(answer.casefold() in question_set.text_of[passage] for answer in question["answers"])
    ]
    assert not empty


def test_no_answer_is_blank(question_set):
    blank = [
        question["_id"]
        for question in question_set.answerable
        if not all(answer and answer == answer.strip() for answer in question["answers"])
    ]
    assert not blank


def test_ids_and_questions_are_unique(question_set):
    assert not repeated(passage["_id"] for passage in question_set.passages)
    assert not repeated(question["_id"] for question in question_set.questions)
    assert not repeated(question["text"].casefold() for question in question_set.questions)
    assert not repeated(judgement[:2] for judgement in question_set.judgements)


def test_judgements_point_to_what_exists(question_set):
    assert question_set.header == HEADER
    assert {question for question, _, _ in question_set.judgements} <= {
        question["_id"] for question in question_set.questions
    }
    assert {passage for _, passage, _ in question_set.judgements} <= set(question_set.text_of)
    assert {score for _, _, score in question_set.judgements} == {"1"}


def test_only_answerable_questions_are_judged(question_set):
    assert set(question_set.relevant) == {question["_id"] for question in question_set.answerable}


def test_there_are_enough_of_each(question_set):
    assert len(question_set.passages) >= FEWEST_PASSAGES
    assert len(question_set.answerable) >= FEWEST_ANSWERABLE
    assert len(question_set.off_topic) >= FEWEST_OFF_TOPIC
