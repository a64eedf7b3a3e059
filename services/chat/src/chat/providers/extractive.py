"""Answers without a model: the best sentences of the passages, verbatim, each with its source."""

import re

from chat.model import FinishReason, Prompt, ProviderFinish, ProviderQuote, ProviderText
from chat.ports import AnswerSink
from chat.providers.choose_sentences import Candidate, choose_sentences
from chat.turn.build_prompt import NO_ANSWER_SENTENCE
from chat.turn.disarm import disarm

MODEL = "sentences-1"
BROKEN_WORD = re.compile(r"(?<=[a-z])[-‐\u00ad]\s*\n\s*(?=[a-z])")
# Whole words, of about a token or ten: every delta is a message of its own all the way to the client.
PHRASE = re.compile(r".{1,40}(?:\s+|$)|\s*\S+\s*", re.DOTALL)
MARKUP = re.compile(r"(?:^|(?<=\s))[#>*•▪◦‣]+\s+")


class ExtractiveProvider:
    """Quotes the one to three sentences that answer best, or says plainly that none does. Deterministic."""

    name = "extractive"
    model = MODEL

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Puts phrase by phrase, so that a client that reads slowly gets as much as it takes."""
        chosen = choose_sentences(prompt.question, prompt.passages, [turn.question for turn in prompt.history])
        if not chosen:
            await sink.put(ProviderText(NO_ANSWER_SENTENCE[prompt.language]))
            return ProviderFinish(FinishReason.NO_ANSWER)
        for number, candidate in enumerate(chosen):
            for phrase in PHRASE.findall((" " if number else "") + show(candidate) + " "):
                await sink.put(ProviderText(phrase))
            await sink.put(ProviderQuote(candidate.passage.marker, candidate.text))
        return ProviderFinish(FinishReason.STOP)

    async def close(self) -> None:
        """Holds nothing open."""


def show(candidate: Candidate) -> str:
    """Returns a sentence as running text.

    Lines are joined, and what it spells of our grammar is disarmed ("[12]" becomes "(12)"): in an answer, brackets
    mean our sources. The quote beside it stays as it is, verbatim.
    """
    joined = BROKEN_WORD.sub("", candidate.text)
    return disarm(MARKUP.sub("", " ".join(joined.split())))
