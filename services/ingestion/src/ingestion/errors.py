"""The errors that the flows of ingestion raise; reasons are values of ErrorReason in error_reason.proto."""

from servicekit.errors import AppError, Code, QuotaViolation

LIMITS = {"documents": "documents", "storage_bytes": "bytes of files"}


class DocumentNotFound(AppError):
    """Raised when there is no such document, or none that the caller may see or change."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "DOCUMENT_NOT_FOUND", "There is no document with this id.")


class CollectionNotFound(AppError):
    """Raised when there is no such collection, or none that the caller may see or write to."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "COLLECTION_NOT_FOUND", "There is no collection with this id.")


class CollectionExists(AppError):
    """Raised when the caller has a collection of this name already."""

    def __init__(self) -> None:
        super().__init__(
            Code.ALREADY_EXISTS, "COLLECTION_EXISTS", "You have a collection of this name; choose another name."
        )


class QuotaExceeded(AppError):
    """Raised when a tenant's plan has no room for what is uploaded."""

    def __init__(self, limit: str, allowed: int, wanted: int) -> None:
        sentence = f"The plan allows {allowed:,} {LIMITS[limit]}; with this upload it would be {wanted:,}."
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
            f"{sentence} Delete documents, or ask an administrator of the tenant for a larger plan.",
            metadata={"limit": limit, "allowed": str(allowed)},
            quota_violations=[QuotaViolation(limit, sentence)],
        )


class UnsupportedType(AppError):
    """Raised when the first bytes of a file show none of the accepted types."""

    def __init__(self, filename: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "UNSUPPORTED_TYPE",
            "The content of the file is none of the accepted types: PDF, DOCX, Markdown or plain text in UTF-8.",
            metadata={"filename": filename},
        )


class FileTooLarge(AppError):
    """Raised as soon as a file has brought more bytes than the limit."""

    def __init__(self, filename: str, limit: int) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "FILE_TOO_LARGE",
            f"The file holds more than {limit} bytes; split it or compress its images.",
            metadata={"filename": filename, "max_bytes": str(limit)},
        )


class EmptyFile(AppError):
    """Raised when a file has no bytes, or a text no characters."""

    def __init__(self, filename: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "EMPTY",
            "The file is empty; check that it was read before it was sent.",
            metadata={"filename": filename},
        )


class NoFile(AppError):
    """Raised when an upload carried no file at all."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT, "NO_FILE", "Send a file as the body, or as a part with a filename of a form."
        )


class InvalidMultipart(AppError):
    """Raised when a multipart body cannot be read."""

    def __init__(self, problem: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "INVALID_MULTIPART", f"The multipart body cannot be read: {problem}.")


class TooManyFiles(AppError):
    """Raised when an upload carries more files than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "TOO_MANY_FILES",
            f"An upload may carry {limit} files; send the rest in another.",
            metadata={"max_files": str(limit)},
        )


class UploadStalled(AppError):
    """Raised when an upload brought next to no bytes for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            Code.ABORTED, "UPLOAD_STALLED", f"No data arrived for {seconds:g} seconds, so the upload was dropped."
        )


class DocumentNotReady(AppError):
    """Raised when text is asked for that has not been read from the file yet."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "DOCUMENT_NOT_READY",
            "No text has been read from this document; wait until its state is READY.",
        )


class InvalidRange(AppError):
    """Raised when a character range is outside the text or too long for one answer."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "INVALID_RANGE", message)


class Refused(AppError):
    """Raised when the embedding model or the index refuses a document's chunks, and would again."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Code.FAILED_PRECONDITION, reason, message)


class LeaseLost(Exception):
    """Raised when a write comes from a claim that is not the job's newest; the work must stop."""


class ObjectMissing(Exception):
    """Raised when the object store has nothing under a key."""
