"""The errors that the flows of retrieval raise; reasons are values of ErrorReason in error_reason.proto."""

from servicekit.errors import AppError, Code


class EmptyQuery(AppError):
    """Raised when a query holds nothing to search for."""

    def __init__(self) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "EMPTY_QUERY", "The query is blank: send the words to search for.")


class IndexUnavailable(AppError):
    """Raised when the vector index does not answer in time."""

    retried = True  # the call waited for the index, or was repeated by the channel to it

    def __init__(self) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "INDEX_UNAVAILABLE",
            "The vector index does not answer; try again in a moment.",
            retry_after_seconds=1,
        )


class IndexRefused(AppError):
    """Raised when the vector index refuses what it was sent."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "INDEX_REFUSED",
            "The vector index refuses the request, and would again: see the log of retrieval.",
        )


class EmbedderUnavailable(AppError):
    """Raised when the embedding model or its provider does not answer in time."""

    retried = True  # by the one retry policy of embedders/

    def __init__(self) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "EMBEDDER_UNAVAILABLE",
            "The embedding model does not answer; try again in a moment.",
            retry_after_seconds=1,
        )


class EmbedderRefused(AppError):
    """Raised when the provider of the embedding model refuses the key, the model's name or the text."""

    def __init__(self, status: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "EMBEDDER_REFUSED",
            f"The embedding model refuses the request with status {status}, and would again: "
            "check its key, its name and its limits.",
            metadata={"status": str(status)},
        )


class VersionIncomplete(AppError):
    """Raised when a version is to be activated before all its chunks are indexed."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "VERSION_INCOMPLETE",
            f"{found} of {expected} chunks are indexed: send the missing ones, then activate.",
            metadata={"expected": str(expected), "found": str(found)},
        )


class InvalidIndexStream(AppError):
    """Raised when an index stream lacks its header or sends a second one."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "INVALID_INDEX_STREAM", message)


class DocumentDeleted(AppError):
    """Raised when a document that is being deleted is written to."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION, "DOCUMENT_DELETED", "The document is being deleted and takes no more chunks."
        )
