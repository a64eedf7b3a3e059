"""Names the main language of a document."""

import re

from language.scripts import tell_arabic_script

_SAMPLE = 6_000
_SAMPLES = 3
_FEWEST_LETTERS = 20
_LETTER = re.compile(r"[^\W\d_]")
_ARABIC_SCRIPT = re.compile("[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff]")
_URDU = re.compile("[ٹڈڑںہھے]")


def detect_language(text: str) -> str:
    """Returns the ISO 639-1 code of the main language of text, or "" if there is too little to tell.

    The first call loads a model of 139 languages, which takes about a second: call it off the event loop.
    """
    sample = _take_sample(text)
    letters = len(_LETTER.findall(sample))
    if letters < _FEWEST_LETTERS:
        return ""
    if len(_ARABIC_SCRIPT.findall(sample)) > letters / 2 and (language := _tell_arabic_script(sample)):
        return language
    code = _classify(sample)
    return code if len(code) == 2 else ""


def _take_sample(text: str) -> str:
    """Returns the beginning, middle and end of a long text; title pages are often in another language."""
    if len(text) <= _SAMPLES * _SAMPLE:
        return text
    places = (len(text) // 4, len(text) // 2, len(text) * 3 // 4)
    return "\n".join(text[place : place + _SAMPLE] for place in places)


def _tell_arabic_script(sample: str) -> str:
    """Returns "fa" or "ar" by the letters that only one of them writes; "" for Urdu and others."""
    return "" if len(_URDU.findall(sample)) > len(sample) / 50 else tell_arabic_script(sample)


def _classify(sample: str) -> str:
    # Imported late: it brings numpy and a model, which a process that never asks should not load.
    import py3langid  # type: ignore[import-untyped]  # noqa: PLC0415  # ships no types

    code: str = py3langid.classify(sample)[0]
    return code
