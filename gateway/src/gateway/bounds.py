"""How large a request can be at most, worked out from the bounds that stand on its fields."""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2

ESCAPED_CHARACTER_BYTES = 12
"""One character beyond the first plane as JSON may write it: two escapes such as \\ud83d\\ude00."""
ESCAPED_BYTE_BYTES = 6
"""One byte of text as JSON may write it: an escape such as \\u0007."""
UUID_BYTES = 36 * ESCAPED_BYTE_BYTES
NUMBER_BYTES = 64
PUNCTUATION_BYTES = 8
"""Quotes, colon, comma and a little space around a name or a value."""


def largest_body(message: Descriptor, floor: int, ceiling: int) -> int:
    """Returns the bytes that a valid request of this type needs at most, in whatever way its JSON is written.

    Never less than the floor nor more than the ceiling, both bytes; the ceiling where a field has no bound.
    """
    return max(floor, min(ceiling, _message_bytes(message, ceiling, ())))


def _message_bytes(message: Descriptor, unbounded: int, within: tuple[str, ...]) -> int:
    if message.full_name in within:
        return unbounded
    inside = (*within, message.full_name)
    return PUNCTUATION_BYTES + sum(_field_bytes(field, unbounded, inside) for field in message.fields)


def _field_bytes(field: FieldDescriptor, unbounded: int, within: tuple[str, ...]) -> int:
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]  # type: ignore[index]
    name = len(field.name) + PUNCTUATION_BYTES
    if not field.is_repeated:
        return name + _value_bytes(field, rules, unbounded, within)
    if not rules.repeated.HasField("max_items"):
        return unbounded
    return name + rules.repeated.max_items * _value_bytes(field, rules.repeated.items, unbounded, within)


def _value_bytes(
    field: FieldDescriptor, rules: validate_pb2.FieldRules, unbounded: int, within: tuple[str, ...]
) -> int:
    if field.message_type is not None:
        return _message_bytes(field.message_type, unbounded, within)
    if field.type not in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
        return NUMBER_BYTES + PUNCTUATION_BYTES
    return min(_text_bounds(rules), default=unbounded) + PUNCTUATION_BYTES


def _text_bounds(rules: validate_pb2.FieldRules) -> Iterator[int]:
    text = rules.string
    if text.uuid:
        yield UUID_BYTES
    if text.HasField("max_len"):
        yield text.max_len * ESCAPED_CHARACTER_BYTES
    if text.HasField("max_bytes"):
        yield text.max_bytes * ESCAPED_BYTE_BYTES
    if rules.bytes.HasField("max_len"):
        yield rules.bytes.max_len * 2
