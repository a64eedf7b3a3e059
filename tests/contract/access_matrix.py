"""Prints who may call what into services/auth/README.md: `python tests/contract/access_matrix.py`."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

import docuchat
from docuchat.common.v1 import access_pb2

README = Path(__file__).resolve().parents[2] / "services/auth/README.md"
BEGIN, END = "<!-- access matrix: printed by tests/contract/access_matrix.py -->", "<!-- end of the access matrix -->"
ROLES = ("nobody", "MEMBER", "ADMIN, OWNER", "STAFF")
OPEN_TO = {
    access_pb2.ACCESS_PUBLIC: set(ROLES),
    access_pb2.ACCESS_USER: {"MEMBER", "ADMIN, OWNER", "STAFF"},
    access_pb2.ACCESS_TENANT_ADMIN: {"ADMIN, OWNER"},
    access_pb2.ACCESS_STAFF: {"STAFF"},
    access_pb2.ACCESS_SERVICE: set(),
}
HEAD = ("method", "HTTP", *ROLES, "an API key needs", "services")


def list_methods() -> Iterator[MethodDescriptor]:
    """Yields every method of every service, in the order of their names."""
    (stubs,) = (Path(path) for path in docuchat.__path__)
    for path in sorted(stubs.rglob("*_service_pb2.py")):
        name = ".".join(path.relative_to(stubs.parent).with_suffix("").parts)
        for service in import_module(name).DESCRIPTOR.services_by_name.values():
            yield from service.methods


def describe(method: MethodDescriptor) -> tuple[str, ...]:
    """Returns a method's row: nobody is a caller without a token."""
    options = method.GetOptions()
    access = options.Extensions[access_pb2.access]
    scopes = [access_pb2.Scope.Name(scope) for scope in options.Extensions[access_pb2.scope]]
    needed = "a session, not a key" if options.Extensions[access_pb2.session_only] else " or ".join(scopes) or "-"
    rule = options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    http = f"`{verb.upper()} {getattr(rule, verb)}`" if verb else "-"
    marks = ["yes" if role in OPEN_TO[access] else "-" for role in ROLES]
    callers = ", ".join(options.Extensions[access_pb2.callers]) or "-"
    return (method.full_name.removeprefix("docuchat."), http, *marks, needed, callers)


def print_matrix() -> str:
    """Returns the whole matrix in Markdown, between its marks."""
    rows = [HEAD, tuple("---" for _ in HEAD), *map(describe, list_methods())]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([BEGIN, *lines, END])


def replace_matrix(text: str) -> str:
    """Returns a text with the matrix of today between its marks. Raises ValueError if it has no marks."""
    before, rest = text[: text.index(BEGIN)], text[text.index(END) + len(END) :]
    return before + print_matrix() + rest


if __name__ == "__main__":
    README.write_text(replace_matrix(README.read_text()))
    sys.stdout.write(f"{README}\n")
