"""Mails that a stack without SMTP writes to its folder, shown to whoever runs it: that is how their codes arrive."""

import asyncio
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

LOOK_SECONDS = 0.5


async def announce_mail(folder: Path, say: Callable[[str], None]) -> None:
    """Says a line for each mail that comes, oldest first; never returns."""
    seen = list_mails(folder)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        there = await asyncio.to_thread(list_mails, folder)
        for path in sorted(there - seen):
            if line := await asyncio.to_thread(describe_mail, path):
                say(line)
        seen = there


def list_mails(folder: Path) -> set[Path]:
    """Returns the mails that are there now."""
    return set(folder.glob("*.eml"))


def describe_mail(path: Path) -> str:
    """Returns to whom a mail is, about what, and the code if one stands on a line of its own; empty if it is gone."""
    try:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    except OSError:
        return ""
    codes = [line for line in mail.get_content().splitlines() if line.isascii() and line.isdigit()]
    what = [f"mail to {mail['to']}: {mail['subject']}", *codes[:1], f"({path.name})"]
    # Addresses come from outside, and terminals obey what they are shown.
    return "".join(letter for letter in "  ".join(what) if letter.isprintable())
