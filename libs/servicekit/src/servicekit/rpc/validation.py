"""Checking requests against the protovalidate rules on their fields."""

from collections.abc import Callable
from typing import TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from servicekit.errors import FieldViolation, InvalidField

MAX_VIOLATIONS = 20
RequestT = TypeVar("RequestT")
Check = Callable[[RequestT], RequestT]
Read = Callable[[bytes], object]


class Unreadable:
    """Stands for bytes that are no message of the method's type, until the layers are there to say so."""


def read_any(read: Read | None) -> Read | None:
    """Returns a deserializer that never fails: gRPC answers UNKNOWN with Python's words where one does."""
    if read is None:
        return None

    def read_or_mark(raw: bytes) -> object:
        try:
            return read(raw)
        except DecodeError:
            return Unreadable()

    return read_or_mark


def validate_request(request: RequestT) -> RequestT:
    """Returns the request if it keeps its rules. Raises InvalidField naming every broken one, up to 20."""
    if isinstance(request, Unreadable):
        raise InvalidField(FieldViolation("request", "must be a message of this method, with text in UTF-8"))
    if isinstance(request, Message):
        found = protovalidate.collect_violations(request)
        if found:
            raise InvalidField(*(read_violation(row) for row in found[:MAX_VIOLATIONS]))
    return request


def read_violation(violation: protovalidate.Violation) -> FieldViolation:
    """Returns which field broke which rule, such as `document_ids[3]: must be a valid UUID`."""
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        path += f"[{subscript.value}]" if subscript is not None else ""
    return FieldViolation(path or "request", violation.proto.message)
