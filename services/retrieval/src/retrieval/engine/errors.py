"""What can go wrong in the engine."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.errors import AppError, Code, StorageFull

STORE = "the vector index"
FULL = {errno.ENOSPC, errno.EDQUOT}
# The machine's state, not the files': the same files may open a moment later.
PASSING = {errno.EACCES, errno.EPERM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS}
DAMAGED = ("Service runtime error", "Inconsistent storage")


class CollectionUnknown(AppError):
    """Raised when a collection is used that was never prepared."""

    def __init__(self, collection: str) -> None:
        super().__init__(Code.NOT_FOUND, "COLLECTION_UNKNOWN", f"There is no collection {collection}: prepare it.")


class CollectionMismatch(AppError):
    """Raised when vectors are not as long as those of the collection."""

    def __init__(self, collection: str, dimensions: int, given: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "COLLECTION_MISMATCH",
            f"The vectors of {collection} have {dimensions} dimensions, not {given}: another model needs another one.",
        )


class CollectionUnavailable(AppError):
    """Raised when the machine keeps the engine from its files for the moment."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAVAILABLE, "INDEX_UNAVAILABLE", "The engine cannot work on its files; try again in a moment."
        )


class CollectionDamaged(CollectionUnavailable):
    """Raised when what is on the disk is not what the binding wrote."""


class RequestRefused(AppError):
    """Raised when the binding refuses what it was asked for."""

    def __init__(self) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "INVALID_FIELD", "The engine refuses the request; see its log.")


@contextmanager
def binding_errors() -> Iterator[None]:
    """Raises what the binding's errors mean: it knows only Exception with a text, and panics of its own."""
    try:
        yield
    except BaseException as error:
        panic = type(error).__name__ == "PanicException"
        if type(error) is not Exception and not panic:
            raise
        raise _translate(str(error), panic=panic) from error


def _translate(text: str, *, panic: bool) -> AppError:
    numbers = {int(number) for number in re.findall(r"\(os error (\d+)\)", text)}
    if numbers & FULL or "No space left on device" in text:
        return StorageFull(STORE)
    if numbers & PASSING:
        return CollectionUnavailable()
    if panic or text.startswith(DAMAGED):
        return CollectionDamaged()
    return RequestRefused()
