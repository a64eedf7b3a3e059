"""Requests that name nothing to look for: summaries, greetings, "what is this about?"."""

from language.scripts import guess_language
from language.stop_words import STOP_WORDS
from language.words import find_terms

ABILITIES = {
    "en": "Without a language model I can only quote sentences of your documents, not summarise or chat. "
    "Ask about something that they mention.",
    "de": "Ohne Sprachmodell kann ich nur Sätze aus Ihren Dokumenten zitieren, nicht zusammenfassen oder plaudern. "
    "Fragen Sie nach etwas, das darin vorkommt.",
    "ru": "Без языковой модели я могу только цитировать предложения из ваших документов, но не пересказывать и не "
    "беседовать. Спросите о том, что в них упомянуто.",
    "fa": "بدون مدل زبانی تنها می‌توانم جمله‌هایی از سندهای شما را نقل کنم و نمی‌توانم خلاصه یا گفتگو کنم. "
    "دربارهٔ چیزی بپرسید که در سندها آمده است.",
    "ar": "من دون نموذج لغوي لا أستطيع إلا اقتباس جمل من مستنداتك، لا التلخيص ولا المحادثة. اسأل عن شيء ورد فيها.",
    "zh": "没有语言模型时，我只能引用您文档中的句子，不能总结或聊天。请询问文档中提到的内容。",
}
_WORDS = {
    "en": """
        summarise summarize summary overview gist outline tldr tl dr takeaways brief short quick tell give write lot
        explain describe say says contents topic main key idea points
        hello hi hey greetings welcome thanks thank good morning evening afternoon day help
        document files text pdf book paper article report page
    """,
    "de": """
        zusammenfassen zusammenfassung fasse zusammen überblick übersicht inhalt worum geht handelt steht thema
        wichtigste hauptpunkte punkte erkläre erzähl beschreibe gib kurz kurze
        hallo hi guten tag morgen abend danke schön hilfe servus grüß gott
        dokument datei text pdf buch artikel bericht seite unterlagen
    """,
    "ru": """
        суммируй резюме резюмируй кратко краткое краткий перескажи пересказ обобщи изложи подведи итоги обзор сделай
        дай содержание содержится расскажи объясни опиши идет говорится речь тема главная основная мысль идея умеешь
        привет здравствуй здравствуйте добрый доброе день вечер утро дела спасибо большое пожалуйста помощь помоги
        документ файл текст книга статья отчет страница
    """,
    "fa": """
        خلاصه چکیده مرور توضیح شرح بده بگو بنویس برایم لطفا لطفاً موضوع محتوا محتوای نکات اصلی مهم راجع تو چیه کاری کار
        توانی بکنی هستی سلام درود صبح عصر شب بخیر خوبی حالت حال چطوره ممنون ممنونم مرسی سپاس کمک
        سند اسناد فایل متن کتاب مقاله گزارش صفحه پرونده
    """,
    "ar": """
        لخص تلخيص ملخص ملخصا خلاصة موجز نبذة نظرة اشرح اعطني قدم لي موضوع يتحدث تتحدث محتوى عم النقاط الفكرة الرئيسية
        تستطيع تفعل يمكنك فضلك مرحبا السلام عليكم اهلا صباح مساء الخير شكرا جزيلا حالك مساعدة
        مستند المستند وثيقة الوثيقة ملف الملف نص النص كتاب الكتاب مقال المقال تقرير صفحة
    """,
    "zh": """
        总结 總結 概括 摘要 概述 概要 归纳 介绍 简单 主题 内容 主要内容 大意 要点 关于 讲了 说些 全文
        你好 您好 早上好 谢谢 帮助 帮我 给我 能做 文件 文档 文章 文本 一下 书 这份 这篇 这本 这个 一个 请 pdf
    """,
}
_REQUESTS = {language: frozenset(find_terms(_WORDS.get(language, ""), language)) for language in STOP_WORDS}
_REQUESTS["zh"] = frozenset(_WORDS["zh"])


def find_request_language(question: str, *, has_history: bool) -> str | None:
    """Returns the language (ISO 639-1) of a question that has no word to find a sentence by; None where it has one.

    Such words are also those of an earlier question, where this one has none at all ("Why?").
    """
    guessed = guess_language(question)
    for language in sorted(_REQUESTS, key=lambda one: one != guessed):
        terms = find_terms(question, language)
        # Chinese words are told by their characters, since nothing says where they part.
        if _REQUESTS[language].issuperset("".join(terms) if language == "zh" else terms):
            return language if terms or not has_history else None
    return None
