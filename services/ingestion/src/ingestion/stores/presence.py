"""Which workers on this machine are alive, told by locks on files.

A worker keeps the lock on a file that has its name. The kernel lets go of it
when the process dies, however it dies, and never before. So whoever gets the
lock of a name knows that its owner is gone. Names are used once.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

DRAFT = "."


@contextmanager
def announce(folder: Path) -> Iterator[str]:
    """Gives this worker a name that counts as alive until the block ends, or the process does."""
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid4().hex
    draft = folder / f"{DRAFT}{name}"
    with draft.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Under its name only once it is locked: nobody may find it free before.
        draft.rename(folder / name)
        yield name


def find_dead(folder: Path) -> list[str]:
    """Returns the names of the workers that are gone and not yet forgotten."""
    return [path.name for path in sorted(folder.iterdir()) if not path.name.startswith(DRAFT) and _is_free(path)]


def forget(folder: Path, names: Sequence[str]) -> None:
    """Removes dead workers' names."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    # Another worker that starts now may have forgotten it already.
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(handle)
    return False
