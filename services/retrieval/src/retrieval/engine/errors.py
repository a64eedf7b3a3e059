"""What can go wrong in the engine."""

from servicekit.errors import AppError, Code


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
