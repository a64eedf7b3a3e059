"""Generates the Python stubs from the protos: `python libs/genproto/generate.py`.

protoc reads google/api from googleapis-common-protos and buf/validate from the
descriptor inside the protovalidate wheel, so nothing third-party is copied
into the repository and nothing is downloaded.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
STUBS = ROOT / "libs/genproto/src"
BUILD = ROOT / ".build"
VALIDATE = "buf/validate/validate.proto"


def write_validate_descriptors(target: Path) -> None:
    """Writes the descriptor set of buf/validate and what it imports."""
    found = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        found.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
    found.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    target.write_bytes(found.SerializeToString())


def run_protoc(protos: Path, outputs: Sequence[str]) -> None:
    """Compiles every proto below a folder. Raises CalledProcessError with protoc's words on stderr."""
    BUILD.mkdir(exist_ok=True)
    validate = BUILD / "validate.binpb"
    write_validate_descriptors(validate)
    roots = (protos, Path(annotations_pb2.__file__).parents[2])
    names = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    includes = [f"--descriptor_set_in={validate}", *(f"-I{root}" for root in roots)]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *outputs, *names, VALIDATE]
    subprocess.run(command, check=True)  # noqa: S603 - a fixed command over our own files


def write_stubs(out: Path) -> None:
    """Writes stubs and typed stubs below a folder."""
    kinds = ("--python_out=", "--pyi_out=", "--grpc_python_out=", "--mypy_grpc_out=only_async,quiet:")
    run_protoc(PROTOS, [f"{kind}{out}" for kind in kinds])
    remove_serviceless_stubs(out)


def write_image(protos: Path, image: Path) -> None:
    """Writes the descriptors with comments, which is what buf reads."""
    run_protoc(protos, [f"--descriptor_set_out={image}", "--include_imports", "--include_source_info"])


def remove_serviceless_stubs(out: Path) -> None:
    """Deletes the gRPC stubs of protos that declare no service."""
    for stub in out.rglob("*_pb2_grpc.py"):
        if "Servicer" not in stub.read_text():
            stub.unlink()
            stub.with_suffix(".pyi").unlink()


def main() -> None:
    """Replaces the committed stubs."""
    for package in ("docuchat", "buf"):
        shutil.rmtree(STUBS / package, ignore_errors=True)
    write_stubs(STUBS)


if __name__ == "__main__":
    main()
