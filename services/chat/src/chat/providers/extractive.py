"""Answers without a model: the best sentences of the passages, verbatim, each with its source."""

import re

from chat.model import FinishReason, Prompt, ProviderFinish, ProviderQuote, ProviderText
from chat.ports import AnswerSink
from chat.providers.choose_highlights import MAX_CHARACTERS, choose_highlights
from chat.providers.general_requests import ABILITIES, find_request_language
from chat.turn.build_prompt import NO_ANSWER_SENTENCE
from chat.turn.disarm import disarm

MODEL = "sentences-3"
BROKEN_WORD = re.compile(r"(?<=[a-z])[-‐\u00ad]\s*\n\s*(?=[a-z])")
# Whole words, of about a token or ten: every delta is a message of its own all the way to the client.
PHRASE = re.compile(r".{1,40}(?:\s+|$)|\s*\S+\s*", re.DOTALL)
MARKUP = re.compile(r"(?:^|(?<=\s))[#>*•▪◦‣]+\s+")


class ExtractiveProvider:
    """Quotes the few sentences that cover most of the question, or says plainly that nothing fits."""

    name = "extractive"
    model = MODEL
    # A token for each of its characters, as where a vocabulary does not know the script.
    max_output_tokens = MAX_CHARACTERS

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Puts phrase by phrase, so that a client that reads slowly gets as much as it takes."""
        general = find_request_language(prompt.question, has_history=bool(prompt.history))
        chosen = choose_highlights(prompt.question, prompt.passages) if general is None else []
        if not chosen:
            await speak(
                ABILITIES.get(general, ABILITIES["en"]) if general else NO_ANSWER_SENTENCE[prompt.language], sink
            )
            return ProviderFinish(FinishReason.NO_ANSWER)
        for number, quote in enumerate(chosen):
            await speak((" " if number else "") + show(quote.text) + " ", sink)
            await sink.put(ProviderQuote(quote.passage.marker, quote.text))
        return ProviderFinish(FinishReason.STOP)

    async def close(self) -> None:
        """Holds nothing open."""


async def speak(text: str, sink: AnswerSink) -> None:
    """Puts a text phrase by phrase."""
    for phrase in PHRASE.findall(text):
        await sink.put(ProviderText(phrase))


def show(quote: str) -> str:
    """Returns a sentence as running text.

    Lines are joined, and what it spells of our grammar is disarmed ("[12]" becomes "(12)"): in an answer, brackets
    mean our sources. The quote beside it stays as it is, verbatim.
    """
    joined = BROKEN_WORD.sub("", quote)
    return disarm(MARKUP.sub("", " ".join(joined.split())))
