"""Which passwords are good enough (NIST SP 800-63B-4, section 3.1.1): length, a block-list and a count of guesses.

There are no composition rules.
"""

import re
import unicodedata

from auth.accounts.common_passwords import COMMON_PASSWORDS
from auth.errors.accounts import WeakPassword
from auth.ports.accounts import GuessCounter

MIN_CHARACTERS = 15
# zxcvbn's "very unguessable": a stolen, slowly hashed password is out of reach.
MIN_GUESSES_LOG10 = 10
PRODUCT = "docuchat"
LONGEST_REPEATED_UNIT = 4
SHORTEST_LOCAL_PART = 3
# Alphabet, digits, and the rows and columns of the American, German and French keyboards.
SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)


def normalise_password(password: str) -> str:
    """Returns one form for the same characters typed on different keyboards (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, email: str) -> None:
    """Raises WeakPassword unless a normalised password is long enough and nobody's first guess."""
    if len(password) < MIN_CHARACTERS:
        raise WeakPassword(f"has fewer than {MIN_CHARACTERS} characters")
    plain = password.casefold()
    if is_common(plain):
        raise WeakPassword("is one of those that attackers try first")
    if is_repetition(plain) or is_sequence(plain):
        raise WeakPassword("only repeats characters or follows the keyboard")
    if is_made_from(email, plain):
        raise WeakPassword("contains your e-mail address")


async def check_guesses(guesses: GuessCounter, password: str, *known: str) -> None:
    """Raises WeakPassword if someone who knows the account's names and the product finds the password soon."""
    words = [word for text in (PRODUCT, *known) for word in (text, *re.split(r"[\W_]+", text)) if word]
    if await guesses.count_log10(password, words) < MIN_GUESSES_LOG10:
        raise WeakPassword("is made of words, names or patterns that are guessed soon")


def is_common(plain: str) -> bool:
    """Tells whether the password is on the list, however its words are separated."""
    # "correct-horse battery.staple" is no better than the same words without the marks.
    letters = "".join(letter for letter in plain if letter.isalnum())
    return letters in COMMON_PASSWORDS


def is_repetition(plain: str) -> bool:
    """Tells whether one to four characters are repeated over and over."""
    return any(is_repeat_of(plain[:length], plain) for length in range(1, LONGEST_REPEATED_UNIT + 1))


def is_repeat_of(unit: str, plain: str) -> bool:
    """Tells whether the text is the unit again and again, cut off at the end."""
    return (unit * len(plain)).startswith(plain)


def is_sequence(plain: str) -> bool:
    """Tells whether the password walks along the alphabet, the digits or a keyboard, either way."""
    return any(is_walk_along(run, plain) for line in SEQUENCES for run in (line, line[::-1]))


def is_walk_along(run: str, plain: str) -> bool:
    """Tells whether the text starts anywhere in the run and goes on, round and round."""
    return plain in run * (len(plain) // len(run) + 2)


def is_made_from(email: str, plain: str) -> bool:
    """Tells whether the local part of the address is in the password; very short ones are in every sentence."""
    local_part = email.partition("@")[0].casefold()
    return plain == email.casefold() or (len(local_part) >= SHORTEST_LOCAL_PART and local_part in plain)
