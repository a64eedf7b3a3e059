"""Keeps the built graph of the MiniLM model as a file.

Run as a program it builds the file: `python -m retrieval.embedders.minilm_cache FOLDER`.
Building takes 600 MB for a second, so the service has a child do it. Where the file cannot
be kept, on a full disk or one that is read only, the child hands the graph over instead.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from retrieval.embedders.minilm_shape import MODEL_NAME, find_model_folder
from servicekit.telemetry import get_logger

# Raised whenever the graph changes, so that no file of an older one is used.
REVISION = "1"
BUILD_SECONDS = 120.0


async def open_graph(folder: Path) -> Path | bytes:
    """Returns the ONNX file of the installed weights, or what would be in it; has it built where it is missing."""
    path = await asyncio.to_thread(locate_graph, folder)
    return path if path.exists() else await _build_in_child(folder) or path


def locate_graph(folder: Path) -> Path:
    """Returns the path of the file: its name holds the hash of weights and revision."""
    with (find_model_folder() / "model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256")
    digest.update(REVISION.encode())
    return folder / f"{MODEL_NAME}-{digest.hexdigest()[:16]}.onnx"


def build() -> bytes:
    """Returns the serialised graph."""
    from retrieval.embedders.minilm_graph import build_graph  # noqa: PLC0415 - only the child needs onnx

    return build_graph(find_model_folder() / "model.safetensors")


def write_graph(folder: Path, content: bytes) -> Path:
    """Keeps a graph; whoever looks meanwhile sees none or all of the file. Raises OSError."""
    path = locate_graph(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as part:
        with (Path(part) / path.name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return Path(file.name).replace(path)


async def _build_in_child(folder: Path) -> bytes:
    """Returns what the child could not keep; nothing where it could."""
    command = (sys.executable, "-m", __name__, str(folder))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        content, _ = await asyncio.wait_for(child.communicate(), BUILD_SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        child.kill()
        await child.wait()
        raise
    if child.returncode != 0:
        raise RuntimeError(f"building the graph of the embedding model failed with exit code {child.returncode}")
    if content:
        get_logger("embedder").warning("the model's graph cannot be kept: built anew at each start", folder=str(folder))
    return content


def _run(folder: Path) -> None:
    content = build()
    try:
        write_graph(folder, content)
    except OSError:
        sys.stdout.buffer.write(content)


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
