"""Checks the protos, and that the committed stubs are what they generate: `python libs/genproto/check.py`."""

import filecmp
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from generate import BUILD, PROTOS, ROOT, STUBS, write_image, write_stubs


def run_buf(*arguments: str) -> bool:
    """Returns whether buf is content; it prints what is wrong."""
    return subprocess.run(["buf", *arguments], cwd=ROOT, check=False).returncode == 0  # noqa: S603, S607 - from .venv


def find_stale_stubs() -> list[str]:
    """Returns the stubs that differ from freshly generated ones, or lie on one side only."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        write_stubs(fresh)
        names = {str(path.relative_to(side)) for side in (fresh, STUBS) for path in side.rglob("*_pb2*.py*")}
        names = {name for name in names if "__pycache__" not in name}
        _, different, missing = filecmp.cmpfiles(fresh, STUBS, sorted(names), shallow=False)
    return different + missing


def serves_old_clients(image: Path) -> bool:
    """Returns whether clients made from the protos of the commit before are still served (WIRE_JSON)."""
    command = ["git", "archive", "HEAD~1", "protos"]
    old = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)  # noqa: S603 - fixed command
    if old.returncode != 0:
        print("breaking: not checked, the commit before has no protos or is not in this clone")
        return True
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(old.stdout)) as archive:
            archive.extractall(folder, filter="data")
        before = BUILD / "before.binpb"
        write_image(Path(folder) / "protos", before)
    return run_buf("breaking", str(image), "--against", str(before))


def main() -> None:
    """Exits with 1, after saying why, if anything is wrong."""
    stale = find_stale_stubs()
    for name in stale:
        print(f"stale: {name} - run `make protos`")
    image = BUILD / "image.binpb"
    write_image(PROTOS, image)
    checks = (
        run_buf("format", "--exit-code", "--diff", str(PROTOS)),
        run_buf("lint", str(image), "--path", "docuchat"),
        serves_old_clients(image),
    )
    sys.exit(0 if all(checks) and not stale else 1)


if __name__ == "__main__":
    main()
