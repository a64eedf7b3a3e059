import hashlib
import socket
import time
from importlib import resources

import pytest
import tiktoken

from servicekit import tokenization
from servicekit.tokenization import Cl100kTokenizer

TEXTS = (
    "",
    "hello world",
    "don't 12345 x=1;\r\n",
    "  a\n\n b\t",
    "😀 <|endoftext|>",
    "دربارهٔ گربه‌ها",
    "お誕生日おめでとう",
)


@pytest.fixture(scope="module")
def tokenizer():
    return Cl100kTokenizer()


@pytest.mark.parametrize("text", TEXTS)
def test_the_packaged_vocabulary_counts_as_tiktoken_does(tokenizer, monkeypatch, text):
    with resources.as_file(resources.files("servicekit.tokenization") / "vocabulary") as folder:
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        assert tokenizer.count(text) == len(tiktoken.get_encoding("cl100k_base").encode_ordinary(text))


def test_a_damaged_vocabulary_is_not_used(monkeypatch):
    monkeypatch.setattr(tokenization, "SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(ValueError, match="vocabulary"):
        Cl100kTokenizer()


@pytest.mark.parametrize("unit", ["a", " ", "\n", "=", "😀", "漢", "ab1-"])
def test_a_run_of_a_million_characters_is_counted_in_time(tokenizer, unit):
    started = time.process_time()
    count = tokenizer.count(unit * (1_000_000 // len(unit)))
    assert time.process_time() - started < 5
    assert count > 1000


def test_loading_needs_no_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    assert Cl100kTokenizer().count("a") == 1
