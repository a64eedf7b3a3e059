"""multipart/form-data (RFC 7578), read as it arrives: a push parser turned into files one can iterate."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from ingestion.errors import InvalidMultipart
from ingestion.model import IncomingFile
from servicekit.errors import FieldViolation, InvalidField

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 16
MAX_PARTS = 100
MAX_FIELD_BYTES = 4096
COLLECTION_FIELD = "collection_id"


@dataclass(frozen=True)
class PartBegin:
    """A part begins; filename None makes it a field, not a file."""

    name: str
    filename: str | None


@dataclass(frozen=True)
class PartData:
    """Bytes of the part."""

    data: bytes


@dataclass(frozen=True)
class PartEnd:
    """The part is whole."""


PartEvent = PartBegin | PartData | PartEnd


class PartReader:
    """Feeds the parser and collects what it finds."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[PartEvent] = []
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": lambda data, start, end: self._events.append(PartData(data[start:end])),
                "on_part_end": lambda: self._events.append(PartEnd()),
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    @property
    def is_complete(self) -> bool:
        """Whether the closing boundary has come."""
        return self._parser.state == MultipartState.END

    def feed(self, data: bytes) -> list[PartEvent]:
        """Returns what these bytes bring. Raises InvalidMultipart."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise InvalidMultipart("a boundary or header is malformed") from error
        found, self._events = self._events, []
        return found

    def _begin(self) -> None:
        self._disposition = b""

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename")
        shown = None if filename is None else filename.decode("utf-8", "replace")
        self._events.append(PartBegin(options.get(b"name", b"").decode("utf-8", "replace"), shown))


class MultipartUpload:
    """An Upload of the file parts of a form; its field collection_id counts where the request names none."""

    def __init__(self, collection_id: str, boundary: bytes, body: AsyncIterator[bytes]) -> None:
        self.collection_id = collection_id
        self._reader = PartReader(boundary)
        self._body = body

    async def files(self) -> AsyncIterator[IncomingFile]:
        """Yields the files of the form, in order. Raises InvalidMultipart, InvalidField."""
        events = self._read_events()
        parts = 0
        async for event in events:
            if not isinstance(event, PartBegin):
                continue
            parts += 1
            if parts > MAX_PARTS:
                raise InvalidMultipart(f"it has more than {MAX_PARTS} parts")
            if event.filename is None:
                await self._take_field(event.name, events)
                continue
            first = await anext(events)
            # What a browser sends for a file field in which nothing was chosen.
            if event.filename or isinstance(first, PartData):
                yield IncomingFile(event.filename, read_part(first, events))

    async def _take_field(self, name: str, events: AsyncIterator[PartEvent]) -> None:
        value = bytearray()
        async for data in read_part(await anext(events), events):
            value += data
            if len(value) > MAX_FIELD_BYTES:
                raise InvalidMultipart(f"a field holds more than {MAX_FIELD_BYTES} bytes")
        if name == COLLECTION_FIELD and value and not self.collection_id:
            self.collection_id = require_uuid(value.decode("utf-8", "replace").strip())

    async def _read_events(self) -> AsyncIterator[PartEvent]:
        async for data in self._body:
            for event in self._reader.feed(data):
                yield event
        if not self._reader.is_complete:
            raise InvalidMultipart("it ends before its closing boundary")


async def read_part(first: PartEvent, events: AsyncIterator[PartEvent]) -> AsyncIterator[bytes]:
    """Yields the bytes of a part up to its end."""
    event = first
    while isinstance(event, PartData):
        yield event.data
        event = await anext(events)


def require_uuid(value: str) -> str:
    """Returns the id in its usual form. Raises InvalidField."""
    try:
        return str(UUID(value))
    except ValueError as error:
        raise InvalidField(FieldViolation(COLLECTION_FIELD, "must be a valid UUID")) from error
