"""What a provider's failures mean, whoever the provider is. Its bodies are read for codes and never echoed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx2

from chat.errors import ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.providers.bound_response import ResponseTooLong
from servicekit.errors import AppError

SdkError = TypeVar("SdkError", bound=Exception)
LONGEST_RETRY_AFTER_SECONDS = 60.0


@contextmanager
def translate_errors(sdk_error: type[SdkError], read: Callable[[SdkError], AppError]) -> Iterator[None]:
    """Turns an SDK's errors, and what its HTTP client and its decoder raise through it, into errors of the model."""
    try:
        yield
    except AppError:
        raise
    except sdk_error as error:
        raise read(error) from error
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ResponseTooLong) as error:
        raise ProviderUnavailable from error
    except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
        # SDKs build objects with little validation or none: what is malformed shows when it is touched.
        raise ProviderUnavailable from error


def read_status(status: int, retry_after: float | None = None) -> AppError:
    """Returns the error that a response's status means; retry_after are the seconds it asks to wait."""
    match status:
        case 429:
            return with_wait(ProviderRateLimited(retry_after_seconds=retry_after), retry_after)
        case 413:
            return ContextTooLong()
        case _ if status in {408, 409} or status >= 500 or status < 400:
            return with_wait(ProviderUnavailable(retry_after_seconds=retry_after), retry_after)
        case _:
            return ProviderMisconfigured()


def with_wait(error: AppError, retry_after: float | None) -> AppError:
    """Notes on an error how long the provider asked to wait."""
    if retry_after is not None:
        error.metadata["retry_after_seconds"] = str(retry_after)
    return error


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds a response asks to wait, from 0 to 60; None where it names none (dates are not read)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (seconds := read_seconds(headers.get(name, ""), unit)) is not None:
            return seconds
    return None


def read_seconds(number: str, unit: float = 1.0) -> float | None:
    """Returns so many units in seconds, from 0 to 60; None for what is no number."""
    try:
        seconds = float(number) * unit
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS) if seconds == seconds else None  # noqa: PLR0124 - NaN
