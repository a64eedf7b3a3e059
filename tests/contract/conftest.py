"""The protos as descriptors with comments, built afresh for the tests."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

from docuchat.common.v1 import access_pb2

ROOT = Path(__file__).resolve().parents[2]
SERVICE_NUMBER, METHOD_NUMBER = 6, 2


@dataclass(frozen=True)
class Method:
    """One RPC with what the contract says about it."""

    descriptor: MethodDescriptor
    comment: str

    @property
    def name(self):
        return self.descriptor.full_name

    @property
    def access(self):
        return self.descriptor.GetOptions().Extensions[access_pb2.access]

    @property
    def callers(self):
        return self.descriptor.GetOptions().Extensions[access_pb2.callers]

    @property
    def scopes(self):
        return self.descriptor.GetOptions().Extensions[access_pb2.scope]

    @property
    def is_session_only(self):
        return self.descriptor.GetOptions().Extensions[access_pb2.session_only]

    @property
    def http(self):
        """The google.api.http rule, or None."""
        options = self.descriptor.GetOptions()
        return options.Extensions[annotations_pb2.http] if options.HasExtension(annotations_pb2.http) else None


def build_image(folder):
    """Compiles the protos with the generator's own function, so that both see the same files."""
    spec = importlib.util.spec_from_file_location("genproto_generate", ROOT / "libs/genproto/generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    image = folder / "image.binpb"
    generate.write_image(ROOT / "protos", image)
    return descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())


def read_comments(file) -> Iterator[tuple[str, str]]:
    """Yields full name and leading comment of each method of a file."""
    for location in file.source_code_info.location:
        if len(location.path) == 4 and (location.path[0], location.path[2]) == (SERVICE_NUMBER, METHOD_NUMBER):
            service = file.service[location.path[1]]
            method = service.method[location.path[3]]
            yield f"{file.package}.{service.name}.{method.name}", location.leading_comments


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The FileDescriptorSet of all protos, with source info."""
    return build_image(tmp_path_factory.mktemp("protos"))


@pytest.fixture(scope="session")
def own_files(image):
    """The files of docuchat.*, without what they import."""
    return [file for file in image.file if file.package.startswith("docuchat.")]


@pytest.fixture(scope="session")
def pool(image):
    """A descriptor pool of the freshly built files, apart from the generated stubs'."""
    pool = descriptor_pool.DescriptorPool()
    for file in image.file:
        pool.Add(file)
    return pool


def find_services(pool, own_files) -> Iterator[ServiceDescriptor]:
    for file in own_files:
        yield from pool.FindFileByName(file.name).services_by_name.values()


@pytest.fixture(scope="session")
def methods(pool, own_files):
    """Every RPC."""
    comments = dict(pair for file in own_files for pair in read_comments(file))
    found = [
        Method(method, comments.get(method.full_name, ""))
        for service in find_services(pool, own_files)
        for method in service.methods
    ]
    assert found, "no method to hold to anything"
    return found


def find_messages(root: Descriptor) -> list[Descriptor]:
    """Returns a message and all of docuchat.* that its fields can hold, each once."""
    found, waiting = {root.full_name: root}, [root]
    while waiting:
        for field in waiting.pop().fields:
            child = field.message_type
            if child and child.full_name.startswith("docuchat.") and child.full_name not in found:
                found[child.full_name] = child
                waiting.append(child)
    return list(found.values())
