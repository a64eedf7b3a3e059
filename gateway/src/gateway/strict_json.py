"""Which fields the JSON body of each method may have, as a table for strict_json.lua."""

from collections.abc import Iterable, Iterator
from importlib.resources import files

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.descriptors import PublicMethod

# Their JSON has a form of its own: any key may be right.
FREE_FORM_PACKAGE = "google.protobuf"


def build_receive_script(methods: Iterable[PublicMethod]) -> str:
    """Returns the Lua source of the filter that sees whole bodies, with its table in front."""
    bodies = [body for method in methods if (body := find_body_message(method)) is not None]
    types = {found.full_name: found for body in bodies for found in _reachable_messages(body)}
    table = ["local TYPES = {", *(_lua_type(types[name]) for name in sorted(types)), "}"]
    sources = [files("gateway").joinpath(name).read_text() for name in ("strict_json.lua", "receive.lua")]
    return "\n".join([*table, "", *sources])


def find_body_message(method: PublicMethod) -> Descriptor | None:
    """Returns the message that the method's JSON body holds, or None where there is nothing to check."""
    if not method.http_body or method.client_streaming:
        return None
    message: Descriptor | None = method.input_type
    if method.http_body != "*":
        message = method.input_type.fields_by_name[method.http_body].message_type
    return None if message is None or _is_free_form(message) else message


def _is_free_form(message: Descriptor) -> bool:
    return message.file.package == FREE_FORM_PACKAGE or message.full_name == "google.api.HttpBody"


def _reachable_messages(message: Descriptor) -> list[Descriptor]:
    """Returns the message and all that its fields can hold, each once."""
    found = {message.full_name: message}
    waiting = [message]
    while waiting:
        for child in _children(waiting.pop()):
            if child.full_name not in found:
                found[child.full_name] = child
                waiting.append(child)
    return list(found.values())


def _children(message: Descriptor) -> Iterator[Descriptor]:
    for field in message.fields:
        child = _checked_message(field)
        if child is not None:
            yield child


def _checked_message(field: FieldDescriptor) -> Descriptor | None:
    child = field.message_type
    if child is None or _is_free_form(child) or child.GetOptions().map_entry:
        return None
    return child


def _lua_type(message: Descriptor) -> str:
    entries = []
    for field in message.fields:
        child = _checked_message(field)
        kind = f'"{child.full_name}"' if child is not None else "false"
        names = dict.fromkeys((field.name, field.json_name))
        entries += [f'["{name}"] = {{ "{field.name}", {kind} }}' for name in names]
    return f'  ["{message.full_name}"] = {{ {", ".join(entries)} }},'
