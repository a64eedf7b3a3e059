"""What the binding leaves to its caller: room on the disk, and files that survive a power cut."""

import os
import shutil
from pathlib import Path

from retrieval.engine.errors import FULL, STORE
from servicekit.errors import StorageFull

# The binding writes through memory maps of sparse files. Where such a file cannot grow the kernel ends the
# process (SIGBUS), so there must be room before each write: for the log, the segment and what others write meanwhile.
UPDATE_BYTES = 64 * 1024 * 1024
WRITTEN_TIMES = 4
# Removing and flushing go on for longer, since they are how room is made.
UPKEEP_BYTES = 16 * 1024 * 1024


def require_space(folder: Path, spare_bytes: int) -> None:
    """Raises StorageFull unless the disk has so much room left."""
    if shutil.disk_usage(folder).free < spare_bytes:
        raise StorageFull(STORE)


def measure(folder: Path) -> int:
    """Returns how many bytes on the disk the files of a folder take, holes left out."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def sync_folder(folder: Path) -> None:
    """Forces every file below a folder to the disk, and the names of all of them. Raises StorageFull."""
    for path in (*folder.rglob("*"), folder):
        sync_path(path)


def sync_names(folder: Path) -> None:
    """Forces the names of all files below a folder to the disk."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            sync_path(path)


def sync_path(path: Path) -> None:
    """Forces a file, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        raise StorageFull(STORE) if error.errno in FULL else error from error
    finally:
        os.close(opened)


def replace_text(path: Path, text: str) -> None:
    """Writes a small file; after a kill or a power cut it holds all of the old text or all of the new."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    sync_path(part)
    part.replace(path)
    sync_path(path.parent)


def copy_sparse(source: Path, target: Path) -> None:
    """Copies the files of a folder, holes as holes, which are most of what the binding makes."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(path, copy)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        size = os.fstat(read.fileno()).st_size
        written.truncate(size)
        end = 0
        while (start := _seek(read.fileno(), end, os.SEEK_DATA)) < size:
            end = _seek(read.fileno(), start, os.SEEK_HOLE)
            written.seek(start)
            while start < end:
                start += os.sendfile(written.fileno(), read.fileno(), start, end - start)


def _seek(file: int, offset: int, kind: int) -> int:
    try:
        return os.lseek(file, offset, kind)
    except OSError:  # ENXIO: nothing but a hole up to the end
        return os.fstat(file).st_size
