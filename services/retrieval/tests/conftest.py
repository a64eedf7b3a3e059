"""A disk that is small enough to fill."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @property
    def free(self):
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self, leaving=0):
        """Takes the space at once; on tmpfs nothing is left for holes of sparse files either."""
        with (self.folder / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free - leaving)

    def empty(self):
        (self.folder / "filler").unlink()


@pytest.fixture
def small_disk(tmp_path):
    """Returns a function that mounts a disk of so many MiB."""
    mounted = []

    @contextmanager
    def mount(mebibytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no file system may be mounted here: {error}")
        mounted.append(folder)
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    return mount
