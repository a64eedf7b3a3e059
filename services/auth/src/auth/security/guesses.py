"""How many guesses a password takes, by zxcvbn (Wheeler, USENIX Security 2016)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from zxcvbn_rs_py import zxcvbn

# Time grows with length, up to a second for what mixes letters and look-alikes; 40 characters take 0.08 s at worst.
EXAMINED_CHARACTERS = 40


class ZxcvbnGuesses:
    """A GuessCounter. `run` takes work off the event loop, among a bounded number of others."""

    def __init__(self, run: Callable[..., Awaitable[Any]]) -> None:
        self._run = run

    async def count_log10(self, password: str, known: Sequence[str]) -> float:
        """Returns the power of ten of the guesses; words in `known` are guessed first. Raises HasherBusy."""
        return float(await self._run(count_log10, password[:EXAMINED_CHARACTERS], list(known)))


def count_log10(password: str, known: list[str]) -> float:
    """Returns the power of ten of the guesses that find a password."""
    return zxcvbn(password, known).guesses_log10
