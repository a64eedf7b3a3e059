import socket

import pytest
from servicekit.tokenization import Cl100kTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Cl100kTokenizer()


# Counts from OpenAI's published cl100k_base encoding.
@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("hello world", 2), ("tiktoken is great!", 6), ("お誕生日おめでとう", 9)]
)
def test_counts_are_those_of_cl100k_base(tokenizer, text, count):
    assert tokenizer.count(text) == count


def test_a_megabyte_without_a_blank_is_counted_in_parts(tokenizer):
    assert tokenizer.count("a" * 1_000_000) > 100_000


def test_special_tokens_in_a_text_are_plain_text(tokenizer):
    assert tokenizer.count("<|endoftext|>") > 1


def test_loading_needs_no_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    assert Cl100kTokenizer().count("a") == 1
