"""What an OpenAI-compatible provider's failures mean. Its bodies are read for codes and never echoed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai
from servicekit.errors import AppError

from chat.errors import ContentFiltered, ContextTooLong, ProviderMisconfigured, ProviderRateLimited, ProviderUnavailable
from chat.providers.bound_response import ResponseTooLong

LONGEST_RETRY_AFTER_SECONDS = 60.0
TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns the SDK's errors, and what its HTTP client and its decoder raise through it, into errors of the model."""
    try:
        yield
    except openai.APIStatusError as error:
        raise translate_status(error) from error
    except openai.APIError as error:
        raise translate_code(error) or ProviderUnavailable() from error
    except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ResponseTooLong) as error:
        raise ProviderUnavailable from error
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, KeyError, IndexError) as error:
        # The SDK builds its objects without validation: what is malformed shows when it is touched.
        raise ProviderUnavailable from error


def translate_status(error: openai.APIStatusError) -> AppError:
    """Returns the error that a response's status, or the code in its body, means."""
    retry_after = read_retry_after(error.response.headers)
    if known := translate_code(error):
        return known
    match error.status_code:
        case 429:
            return with_wait(ProviderRateLimited(retry_after_seconds=retry_after), retry_after)
        case 413:
            return ContextTooLong()
        case 408 | 409:
            return with_wait(ProviderUnavailable(retry_after_seconds=retry_after), retry_after)
        case status if status >= 500 or status < 400:
            return with_wait(ProviderUnavailable(retry_after_seconds=retry_after), retry_after)
        case _:
            return ProviderMisconfigured()


def translate_code(error: openai.APIError) -> AppError | None:
    """Returns the error that the code in the provider's own words means, None for codes unknown here."""
    if error.code in TOO_LONG_CODES:
        return ContextTooLong()
    if error.code in FILTER_CODES:
        return ContentFiltered()
    return ProviderMisconfigured() if error.code == "insufficient_quota" else None


def with_wait(error: AppError, retry_after: float | None) -> AppError:
    """Notes on an error how long the provider asked to wait."""
    if retry_after is not None:
        error.metadata["retry_after_seconds"] = str(retry_after)
    return error


def read_retry_after(headers: httpx2.Headers) -> float | None:
    """Returns the seconds a response asks to wait, from 0 to 60; None where it names none (dates are not read)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS) if seconds == seconds else None  # noqa: PLR0124 - NaN
    return None
