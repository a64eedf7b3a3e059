"""The errors that the flow of chat raises; reasons are values of error_reason.proto."""

from servicekit.errors import AppError, Code


class EmptyQuestion(AppError):
    """Raised when a question holds no letter and no digit."""

    def __init__(self) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "EMPTY_QUESTION", "The question is blank: send the words to ask.")


class ConversationNotFound(AppError):
    """Raised when the caller has no conversation of this id; someone else's looks the same."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "CONVERSATION_NOT_FOUND", "There is no such conversation.")


class RetrievalUnavailable(AppError):
    """Raised when passages could not be retrieved in time."""

    def __init__(self) -> None:
        message = "The documents cannot be searched now; try again in a moment."
        super().__init__(Code.UNAVAILABLE, "RETRIEVAL_UNAVAILABLE", message, retry_after_seconds=1)


class ProviderUnavailable(AppError):
    """Raised when the provider does not answer, breaks off, or answers in a form that cannot be read."""

    def __init__(self, *, retry_after_seconds: float | None = None) -> None:
        message = "The answer provider does not answer properly; try again in a moment."
        super().__init__(
            Code.UNAVAILABLE, "PROVIDER_UNAVAILABLE", message, retry_after_seconds=retry_after_seconds or 1
        )


class ProviderMisconfigured(AppError):
    """Raised when the provider refuses the operator's key, model or parameters."""

    def __init__(self) -> None:
        message = "The answer provider refuses the configured key or model; the operator must correct them."
        super().__init__(Code.FAILED_PRECONDITION, "PROVIDER_MISCONFIGURED", message)


class ProviderRateLimited(AppError):
    """Raised when the provider's limit is reached."""

    def __init__(self, *, retry_after_seconds: float | None = None) -> None:
        message = "The answer provider's limit is reached; try again later."
        super().__init__(
            Code.RESOURCE_EXHAUSTED, "PROVIDER_RATE_LIMITED", message, retry_after_seconds=retry_after_seconds or 5
        )


class ContextTooLong(AppError):
    """Raised when the question does not fit the prompt's budget or the provider's context."""

    def __init__(self) -> None:
        message = "Question and history are too long for the model: shorten the question or begin a new conversation."
        super().__init__(Code.INVALID_ARGUMENT, "CONTEXT_TOO_LONG", message)


class ContentFiltered(AppError):
    """Raised when the provider's filter stopped the answer."""

    def __init__(self) -> None:
        message = "The provider's content filter stopped this answer; ask in other words."
        super().__init__(Code.FAILED_PRECONDITION, "CONTENT_FILTERED", message)
