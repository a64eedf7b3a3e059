"""The public methods of the system and their descriptors, read from the installed stubs."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2

import docuchat
from docuchat.common.v1 import access_pb2

STATUS_SERVICE = "docuchat.common.v1.StatusService"
ROUTED_ACCESS = frozenset({access_pb2.ACCESS_PUBLIC, access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN})


@dataclass(frozen=True)
class PublicMethod:
    """A method that clients may call through the gateway."""

    service: str
    """Full name, such as ``docuchat.chat.v1.ChatService``."""
    name: str
    cluster: str
    """The service process that implements it."""
    client_streaming: bool
    server_streaming: bool
    http_verb: str
    """GET, POST, PUT, PATCH or DELETE."""
    http_path: str
    """The path template of google.api.http, such as ``/v1/documents/{document_id}``."""
    http_body: str
    """The request field the HTTP body fills; ``*`` for all of them, empty for none."""
    input_type: Descriptor
    needs_token: bool
    """Whether only callers with an access token may call it."""

    @property
    def is_read(self) -> bool:
        """Whether a call changes nothing and costs little, as its HTTP verb promises."""
        return self.http_verb == "GET"

    @property
    def path(self) -> str:
        """The HTTP/2 path of the gRPC method."""
        return f"/{self.service}/{self.name}"

    @property
    def streaming(self) -> bool:
        """Whether either side sends more than one message."""
        return self.client_streaming or self.server_streaming


def load_files() -> list[FileDescriptor]:
    """Imports every generated module below ``docuchat`` and returns their file descriptors, sorted by name."""
    roots = [Path(root) for root in docuchat.__path__]
    names = sorted({_module_name(root, path) for root in roots for path in root.rglob("*_pb2.py")})
    return [cast("FileDescriptor", importlib.import_module(name).DESCRIPTOR) for name in names]


def _module_name(root: Path, path: Path) -> str:
    return ".".join([root.name, *path.relative_to(root).with_suffix("").parts])


def list_services(files: Iterable[FileDescriptor]) -> list[ServiceDescriptor]:
    """Returns all services of the files, public or not."""
    return [service for file in files for service in file.services_by_name.values()]


def list_public_methods(files: Iterable[FileDescriptor], *, staff: bool = False) -> list[PublicMethod]:
    """Returns the methods that have an HTTP path and an access option for people; those of staff where they may come.

    Everything else has no route at all, so a new method stays internal until both options are on it.
    """
    return [
        _public_method(service, method)
        for service in list_services(files)
        for method in service.methods
        if is_public(method, staff=staff)
    ]


def is_public(method: MethodDescriptor, *, staff: bool = False) -> bool:
    """Tells whether the gateway may route the method."""
    routed = ROUTED_ACCESS | {access_pb2.ACCESS_STAFF} if staff else ROUTED_ACCESS
    return method.GetOptions().HasExtension(annotations_pb2.http) and _read_access(method) in routed


def _read_access(method: MethodDescriptor) -> int:
    # The generated stub types the option as a bare FieldDescriptor.
    access: int = method.GetOptions().Extensions[access_pb2.access]  # type: ignore[index]
    return access


def _public_method(service: ServiceDescriptor, method: MethodDescriptor) -> PublicMethod:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    # The service behind /health is the one that asks the others: chat.
    cluster = "chat" if service.full_name == STATUS_SERVICE else service.full_name.split(".")[1]
    return PublicMethod(
        service=service.full_name,
        name=method.name,
        cluster=cluster,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        http_verb=verb.upper(),
        http_path=getattr(rule, verb),
        http_body=rule.body,
        input_type=method.input_type,
        needs_token=_read_access(method) != access_pb2.ACCESS_PUBLIC,
    )


def build_descriptor_set(files: Iterable[FileDescriptor]) -> FileDescriptorSet:
    """Returns the files with all their imports, imported files first.

    google.rpc's error details are added: without them the transcoder cannot print a status's details as JSON.
    """
    ordered: dict[str, FileDescriptor] = {}
    for file in [*files, cast("FileDescriptor", error_details_pb2.DESCRIPTOR)]:
        _add_with_imports(file, ordered)
    return FileDescriptorSet(file=[_to_proto(file) for file in ordered.values()])


def _add_with_imports(file: FileDescriptor, ordered: dict[str, FileDescriptor]) -> None:
    if file.name in ordered:
        return
    for dependency in file.dependencies:
        _add_with_imports(dependency, ordered)
    ordered[file.name] = file


def _to_proto(file: FileDescriptor) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto
