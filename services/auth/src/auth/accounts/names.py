"""Names as people write them, made fit to store."""

import re
import unicodedata

SLUG_LENGTH = 40
JOINERS = "\u200c\u200d"


def normalise_email(address: str) -> str:
    """Returns the address as it is stored: trimmed and in lower case.

    A NUL, which PostgreSQL refuses in text, becomes U+FFFD, which no account has.
    """
    return address.strip().lower().replace("\0", "\ufffd")


def clean_name(name: str) -> str:
    """Returns a name on one line: runs of white space and control characters become one space.

    Invisible characters go, because some turn the text around them; the two
    joiners stay, which emoji, Persian and Indic scripts are written with.
    """
    spaced = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in name)
    visible = "".join(letter for letter in spaced if letter in JOINERS or unicodedata.category(letter) != "Cf")
    return " ".join(visible.split())


def make_slug(name: str) -> str:
    """Returns lower-case ASCII letters, digits and hyphens; 'team' where none of the name can be kept."""
    # Decomposed first, so that "ö" leaves an "o" behind instead of nothing.
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain)[:SLUG_LENGTH].strip("-")
    return slug or "team"
