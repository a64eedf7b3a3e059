"""Requests that name nothing to look for: summaries, greetings, "what is this about?"."""

from chat.model import Language
from language.stop_words import STOP_WORDS
from language.words import find_words

ABILITIES = {
    Language.ENGLISH: (
        "Without a language model I can only quote sentences of your documents, not summarise or chat. "
        "Ask about something that they mention."
    ),
    Language.PERSIAN: (
        "بدون مدل زبانی تنها می‌توانم جمله‌هایی از سندهای شما را نقل کنم و نمی‌توانم خلاصه یا گفتگو کنم. "
        "دربارهٔ چیزی بپرسید که در سندها آمده است."
    ),
}
_WORDS = {
    "en": """
        summarise summarize summary overview gist outline tldr tl dr tell give lot explain describe contents topic main
        idea points
        hello hi hey greetings welcome thanks thank good morning evening afternoon day help
        document documents file files text texts pdf book books paper papers article articles page pages
    """,
    "de": """
        zusammenfassen zusammenfassung fasse fass zusammen überblick inhalt worum geht handelt thema erkläre kurz
        hallo guten tag morgen abend danke hilfe servus grüß
        dokument dokumente dokuments datei dateien text texte pdf buch artikel seite
    """,
    "ru": """
        суммируй резюме резюмируй кратко перескажи пересказ обзор содержание расскажи идет речь тема
        привет здравствуй здравствуйте добрый день вечер утро спасибо помощь помоги
        документ документы документе документа файл файле файла текст текста тексте книга книге книги статья
        статье статьи
    """,
    "fa": """
        خلاصه خلاصه‌ای چکیده مرور توضیح بده بگو بنویس موضوع محتوا محتوای سلام درود صبح بخیر خوبی ممنون مرسی سپاس کمک
        سند اسناد سندها فایل متن کتاب مقاله صفحه پرونده
    """,
    "ar": """
        لخص تلخيص ملخص ملخصا خلاصة موجز اشرح موضوع يتحدث تتحدث محتوى مرحبا السلام عليكم اهلا صباح مساء الخير شكرا مساعدة
        مستند المستند وثيقة الوثيقة ملف الملف نص النص كتاب الكتاب مقال المقال صفحة
    """,
    "zh": """
        总结 總結 概括 摘要 概述 概要 归纳 介绍 主题 内容 主要内容 大意 关于 关于什么 讲 讲了什么 说
        你好 您好 早上好 谢谢 帮助 文件 文档 文章 文本 一下 书 这份 这篇 这本 这个 一份 请
    """,
}
_REQUESTS = frozenset(word for words in _WORDS.values() for word in find_words(words))
_STOP_WORDS: frozenset[str] = frozenset().union(*STOP_WORDS.values())
_CHARACTERS = frozenset(_WORDS["zh"]).union(*STOP_WORDS["zh"])


def is_general(question: str, *, has_history: bool) -> bool:
    """Whether a question has no word that a sentence could be found by, not even one of an earlier question's."""
    words = set(find_words(question))
    if has_history and words <= _STOP_WORDS:
        return False
    return all(word in _REQUESTS or word in _STOP_WORDS or _CHARACTERS.issuperset(word) for word in words)
