"""What a provider's failures mean, whoever the provider is. Its bodies are read for codes and never echoed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx2

from chat.errors import ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from servicekit.errors import AppError
from servicekit.hosted import ResponseTooLong, is_refusal
from servicekit.retrying import read_target
from servicekit.telemetry import get_logger

SdkError = TypeVar("SdkError", bound=Exception)
ASKED_SECONDS = "retry_after_seconds"  # in the metadata of an error


@contextmanager
def translate_errors(sdk_error: type[SdkError], read: Callable[[SdkError], AppError]) -> Iterator[None]:
    """Turns an SDK's errors, and what its HTTP client and its decoder raise through it, into errors of the model."""
    try:
        yield
    except AppError:
        raise
    except sdk_error as error:
        failure = read(error)
        log_failure(failure, error)
        raise failure from error
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ResponseTooLong) as error:
        log_failure(ProviderUnavailable(), error)
        raise ProviderUnavailable from error
    except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
        # SDKs build objects with little validation or none: what is malformed shows when it is touched.
        raise ProviderUnavailable from error


def log_failure(failure: AppError, error: Exception) -> None:
    """Tells the operator whom the provider's calls go to; the error's text may quote the prompt and stays out."""
    get_logger("provider").warning(
        "provider failed", reason=failure.reason, error=type(error).__name__, url=read_target(error)
    )


def read_status(status: int, asked_seconds: float = 0.0) -> AppError:
    """Returns the error that a response's status means; asked_seconds is how long it asks to wait."""
    match status:
        case 429:
            return with_wait(ProviderRateLimited(retry_after_seconds=asked_seconds), asked_seconds)
        case 413:
            return ContextTooLong()
        case _ if is_refusal(status):
            return ProviderMisconfigured()
        case _:
            return with_wait(ProviderUnavailable(retry_after_seconds=asked_seconds), asked_seconds)


def with_wait(error: AppError, asked_seconds: float) -> AppError:
    """Notes on an error how long the provider asked to wait."""
    if asked_seconds:
        error.metadata[ASKED_SECONDS] = str(asked_seconds)
    return error
