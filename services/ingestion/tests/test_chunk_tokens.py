from itertools import pairwise

import pytest

from ingestion.pipeline.chunk import chunk_document
from ingestion.text import ParsedDocument
from language.detection import detect_language
from servicekit.tokenization import Cl100kTokenizer

TEXTS = {
    "en": "Dynamic languages such as JavaScript are more difficult to compile than statically typed ones. ",
    "fa": "این یک متن فارسی است که دربارهٔ گربه‌ها و چگونگی زندگی آن‌ها نوشته شده است. ",
    "ar": "هذا نص عربي كتب عن القطط وعن حياتها اليومية في المدينة القديمة إلى جانب البحر. ",
    "de": "Das ist ein Text über Katzen und über die Art, wie sie in alten Städten am Meer leben. ",
    "fr": "Ceci est un texte sur les chats et la manière dont ils vivent dans les vieilles villes. ",
    "zh": "这是一篇关于猫以及它们如何在古老的海边城市生活的文章。我们还会谈到其他的动物。",
    "ru": "Это текст о кошках и о том, как они живут в старых городах у моря. ",
    "ur": "یہ بلیوں کے بارے میں ایک اردو متن ہے کہ وہ پرانے شہروں میں کیسے رہتی ہیں۔ ",
}


@pytest.fixture(scope="module")
def tokenizer():
    return Cl100kTokenizer()


@pytest.mark.parametrize("language", TEXTS)
def test_chunks_have_at_most_four_hundred_real_tokens(tokenizer, language):
    document = ParsedDocument(TEXTS[language] * 120, (), (), "", 0)
    chunks = chunk_document(document, tokenizer)
    assert len(chunks) > 1
    assert all(chunk.token_count == tokenizer.count(chunk.text) <= 400 for chunk in chunks)
    assert all(chunk.token_count > 250 for chunk in chunks[:-1])
    shared = [tokenizer.count(document.text[b.start_offset : a.end_offset]) for a, b in pairwise(chunks)]
    assert all(0 < count <= 40 for count in shared)


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_is_named(language):
    assert detect_language(TEXTS[language] * 3) == language
    assert detect_language(TEXTS[language] * 800) == language


def test_the_language_of_the_middle_counts_and_too_little_text_has_none():
    assert detect_language(TEXTS["fa"] * 20 + TEXTS["en"] * 2000) == "en"
    assert detect_language("12 34 ok !!") == ""
