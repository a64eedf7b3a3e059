"""A small disk of its own for one folder of a stack: a tmpfs mount, which can be filled to the last byte and freed."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1024 * 1024
KEEP_FULL_SECONDS = 0.1
BALLAST = "ballast"


@contextmanager
def small_disk(folder: Path, spare_mib: int) -> Iterator[Path]:
    """Puts a folder of a stopped stack on a disk with so much room beside what it holds. Needs root."""
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir()
    size = sum(path.lstat().st_size for path in aside.rglob("*") if not path.is_symlink()) + spare_mib * MIB
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "docuchat-chaos", str(folder))
    try:
        _run("cp", "-a", f"{aside}/.", str(folder))
        owner = aside.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        folder.chmod(owner.st_mode & 0o7777)
        shutil.rmtree(aside)
        yield folder
    finally:
        # Lazily: what is still open there goes when its process does.
        _run("umount", "-l", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Keeps the folder's disk full, whatever others free on it, until the block ends; then gives the room back."""
    over = threading.Event()

    def keep_full() -> None:
        while not over.wait(KEEP_FULL_SECONDS):
            _fill(folder / BALLAST)

    _fill(folder / BALLAST)
    thread = threading.Thread(target=keep_full, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        (folder / BALLAST).unlink()


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (MIB, 4096):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
