"""What a provider's failures mean, whoever the provider is. Its bodies are read for codes and never echoed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx2

from chat.errors import ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.providers.bound_response import ResponseTooLong
from servicekit.errors import AppError
from servicekit.retrying import read_retry_after, read_target
from servicekit.telemetry import get_logger

SdkError = TypeVar("SdkError", bound=Exception)
LONGEST_ASKED_SECONDS = 60.0
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
        case _ if status in {408, 409} or status >= 500 or status < 400:
            return with_wait(ProviderUnavailable(retry_after_seconds=asked_seconds), asked_seconds)
        case _:
            return ProviderMisconfigured()


def with_wait(error: AppError, asked_seconds: float) -> AppError:
    """Notes on an error how long the provider asked to wait."""
    if asked_seconds:
        error.metadata[ASKED_SECONDS] = str(asked_seconds)
    return error


def read_asked_seconds(headers: Mapping[str, str]) -> float:
    """Returns the seconds a response asks to wait, at most 60; 0 where it names none."""
    milliseconds = read_retry_after(headers.get("retry-after-ms"))  # the same number in finer steps, from some
    return clamp_wait(milliseconds / 1000 or read_retry_after(headers.get("retry-after")))


def clamp_wait(seconds: float) -> float:
    """Returns a wait that a client can be asked for, in seconds."""
    return min(seconds, LONGEST_ASKED_SECONDS)
