"""Keeps the built graph of the MiniLM model as a file.

Run as a program it builds the file: `python -m retrieval.embedders.minilm_cache FOLDER`.
Building takes 600 MB for a second, so the service has a child do it.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from retrieval.embedders.minilm_shape import MODEL_NAME, find_model_folder

# Raised whenever the graph changes, so that no file of an older one is used.
REVISION = "1"
BUILD_SECONDS = 120.0


async def open_graph(folder: Path) -> Path:
    """Returns the ONNX file of the installed weights; has it built where it is missing."""
    path = await asyncio.to_thread(locate_graph, folder)
    if not path.exists():
        await _build_in_child(folder)
    return path


def locate_graph(folder: Path) -> Path:
    """Returns the path of the file: its name holds the hash of weights and revision."""
    with (find_model_folder() / "model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256")
    digest.update(REVISION.encode())
    return folder / f"{MODEL_NAME}-{digest.hexdigest()[:16]}.onnx"


def write_graph(folder: Path) -> Path:
    """Builds the file; whoever looks meanwhile sees none or all of it."""
    from retrieval.embedders.minilm_graph import build_graph  # noqa: PLC0415 - only the child needs onnx

    path = locate_graph(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = build_graph(find_model_folder() / "model.safetensors")
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as part:
        with (Path(part) / path.name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return Path(file.name).replace(path)


async def _build_in_child(folder: Path) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(folder))
    try:
        code = await asyncio.wait_for(child.wait(), BUILD_SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        child.kill()
        await child.wait()
        raise
    if code != 0:
        raise RuntimeError(f"building the graph of the embedding model failed with exit code {code}")


if __name__ == "__main__":
    write_graph(Path(sys.argv[1]))
