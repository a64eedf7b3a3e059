"""The logs of the processes: one file each and one before it, bounded, so that no caller fills the disk with lines."""

import asyncio
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LONGEST_LOG_BYTES = 16 * 1024 * 1024
LOOK_SECONDS = 2.0
TAIL_BYTES = 8192


async def keep_small(logs: Iterable[Path]) -> None:
    """Looks at the logs again and again and cuts those that have grown too long; never returns."""
    paths = list(logs)
    while True:
        for log in paths:
            await asyncio.to_thread(cut, log)
        await asyncio.sleep(LOOK_SECONDS)


def cut(log: Path, limit: int = LONGEST_LOG_BYTES) -> None:
    """Moves the content of a log that is longer than the limit (bytes) to its predecessor.

    The process goes on writing: its file is open for appending, so it begins
    again at the start. Lines of the moment between are lost. On a full disk the
    content goes too, because the room is needed more.
    """
    with suppress(OSError):
        if log.stat().st_size <= limit:
            return
        try:
            shutil.copyfile(log, _before(log))
        except OSError:
            _before(log).unlink(missing_ok=True)
        os.truncate(log, 0)


def rotate(log: Path) -> None:
    """Keeps the log of the run before, and only that."""
    if log.exists():
        log.replace(_before(log))


def read_last_lines(log: Path, count: int, limit: int = 300) -> list[str]:
    """Returns the last lines of a log that are not empty, each cut to the limit; none if there is no log."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return [line[:limit] for line in lines[-count:]]


def _before(log: Path) -> Path:
    return log.with_name(log.name + ".1")
