"""Room on the local disk for the time a file is worked on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from servicekit.errors import StorageFull

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def open_scratch(parent: Path) -> Iterator[Path]:
    """Makes a folder that is gone when the block ends. Raises StorageFull if its disk is full, then or meanwhile."""
    try:
        with TemporaryDirectory(prefix="job-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise StorageFull("the scratch folder") from error
