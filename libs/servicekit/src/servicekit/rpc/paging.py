"""Pages of a list (AIP-158): the token holds the last row's key and whose list it is."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias, TypeVar
from uuid import UUID

from servicekit.errors import AppError, Code

RowT = TypeVar("RowT")
RowKey: TypeAlias = tuple[datetime, str]
"""A row's time and its id."""
DEFAULT = 50
MAX = 100
# Well inside of what both datetime and PostgreSQL can hold in any time zone.
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000


class InvalidPageToken(AppError):
    """Raised when a page token is not one this method gave out."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_PAGE_TOKEN",
            "Send the next_page_token of the page before, unchanged, or none for the first page.",
        )


def page_size(requested: int) -> int:
    """Returns how many rows a page has: 50 for 0, never more than 100."""
    return min(requested, MAX) if requested > 0 else DEFAULT


def cut_page(
    kind: str, rows: Sequence[RowT], size: int, key: Callable[[RowT], Sequence[object]]
) -> tuple[Sequence[RowT], str]:
    """Returns a page of `rows`, of which there is one more if another page follows, and the token of that page."""
    if len(rows) <= size:
        return rows, ""
    parts = key(rows[size - 1])
    token = encode_page_token(kind, [part.isoformat() if isinstance(part, datetime) else str(part) for part in parts])
    return rows[:size], token


def encode_page_token(kind: str, key: Sequence[str]) -> str:
    """Returns an opaque token for the rows after `key`. It grants nothing: the walls hold for every page."""
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


def decode_page_token(kind: str, token: str) -> tuple[str, ...] | None:
    """Returns the key of a token, None for an empty one. Raises InvalidPageToken."""
    if not token:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidPageToken from error
    if not isinstance(found, list) or len(found) < 2 or found[0] != kind:
        raise InvalidPageToken
    if not all(isinstance(part, str) for part in found):
        raise InvalidPageToken
    return tuple(found[1:])


def decode_row_key(kind: str, token: str) -> RowKey | None:
    """Returns the time and the id of the row before the page, None for the first one. Raises InvalidPageToken."""
    found = decode_page_token(kind, token)
    if found is None:
        return None
    try:
        moment, row_id = found
        return read_moment(moment), str(UUID(row_id))
    except ValueError as error:
        raise InvalidPageToken from error


def decode_number(kind: str, token: str, most: int) -> int:
    """Returns the number that a token holds, up to `most`; 0 for the first page. Raises InvalidPageToken."""
    found = decode_page_token(kind, token)
    if found is None:
        return 0
    if len(found) != 1 or not found[0].isascii() or not found[0].isdigit() or len(found[0]) > len(str(most)):
        raise InvalidPageToken
    if int(found[0]) > most:
        raise InvalidPageToken
    return int(found[0])


def read_moment(part: str) -> datetime:
    """Returns the time that a page token's key holds. Raises InvalidPageToken for what no row can have."""
    try:
        moment = datetime.fromisoformat(part)
    except ValueError as error:
        raise InvalidPageToken from error
    if moment.tzinfo is None or not EARLIEST_YEAR <= moment.year < LATEST_YEAR:
        raise InvalidPageToken
    return moment
