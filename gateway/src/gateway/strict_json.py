"""Which fields the JSON body of each method may have, as tables for strict_json.lua."""

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.descriptors import PublicMethod

_LUA_MAGIC = re.compile(r"([\^$()%.\[\]*+\-?])")
_VARIABLE = re.compile(r"\{[^}=]+(=\*\*)?\}")
# Their JSON has a form of its own: any key may be right.
_FREE_FORM_PACKAGE = "google.protobuf"


def build_script(methods: Iterable[PublicMethod]) -> str:
    """Return the Lua source of the filter with its tables in front."""
    bodies = [(method, body) for method in methods if (body := _body_message(method)) is not None]
    routes = [_lua_route(method, body) for method, body in bodies]
    types = {found.full_name: found for _, body in bodies for found in _reachable_messages(body)}
    tables = [
        "local TYPES = {",
        *(_lua_type(types[name]) for name in sorted(types)),
        "}",
        "local ROUTES = {",
        *routes,
        "}",
    ]
    return "\n".join(tables) + "\n\n" + files("gateway").joinpath("strict_json.lua").read_text()


def _body_message(method: PublicMethod) -> Descriptor | None:
    if not method.http_body or method.client_streaming:
        return None
    message: Descriptor | None = method.input_type
    if method.http_body != "*":
        message = method.input_type.fields_by_name[method.http_body].message_type
    return None if message is None or _is_free_form(message) else message


def _is_free_form(message: Descriptor) -> bool:
    return message.file.package == _FREE_FORM_PACKAGE or message.full_name == "google.api.HttpBody"


def _reachable_messages(message: Descriptor) -> list[Descriptor]:
    """Return the message and all that its fields can hold, each once."""
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
        kind = f'"{child.full_name}"' if child is not None else "true"
        entries += [f"{name} = {kind}" for name in dict.fromkeys((field.name, field.json_name))]
    return f'  ["{message.full_name}"] = {{ {", ".join(entries)} }},'


def _lua_route(method: PublicMethod, body: Descriptor) -> str:
    return f'  {{ "{method.http_verb}", "^{lua_pattern(method.http_path)}$", "{body.full_name}" }},'


def lua_pattern(template: str) -> str:
    """Turn a google.api.http path template into a Lua pattern."""
    pattern, end = "", 0
    for variable in _VARIABLE.finditer(template):
        pattern += _LUA_MAGIC.sub(r"%\1", template[end : variable.start()])
        pattern += ".+" if variable.group(1) else "[^/:]+"
        end = variable.end()
    return pattern + _LUA_MAGIC.sub(r"%\1", template[end:])
