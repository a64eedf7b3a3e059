"""What the measuring scripts share: a stack of their own, also of another checkout, and the print-out."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.running_stack import RunningStack

ROOT = Path(__file__).parents[2]


def read_options(doc: str, **flags: dict) -> argparse.Namespace:
    """Returns the command line's options: `--project`, `--json` and the given ones."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=ROOT, help="a checkout with its .venv; this one if absent")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    for name, flag in flags.items():
        parser.add_argument(f"--{name}", **flag)
    # Ended from outside, it must still stop its stack and take its mounts down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    return parser.parse_args()


@contextmanager
def fresh_stack(project: Path, home: Path | None = None, **settings: str) -> Iterator[RunningStack]:
    """Runs a checkout's stack on loopback, in a temporary folder if no home is given, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="docuchat-chaos-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL refuses to run as root, so the launcher gives it another user, which has to get here.
        Path(folder).chmod(0o711)
        python = project.resolve() / ".venv" / "bin" / "python"
        stack = RunningStack(home or Path(folder) / "home", python=str(python), settings=settings)
        try:
            stack.start()
            yield stack
            if stack.process.poll() is None:
                stack.stop()
        finally:
            stack.end()


def say(text: str) -> None:
    """Tells on stderr how it goes."""
    sys.stderr.write(f"{text}\n")


def print_rows(title: str, rows: Sequence[dict], *, as_json: bool) -> None:
    """Prints rows that have the same keys."""
    if as_json:
        sys.stdout.write(json.dumps({title: list(rows)}) + "\n")
        return
    keys = list(rows[0]) if rows else []
    _print_table(title, keys, [[_show(row[key]) for key in keys] for row in rows])


def print_columns(title: str, rows: Sequence[dict], *, as_json: bool) -> None:
    """Prints few rows of many keys side by side, a line for each key."""
    if as_json:
        return print_rows(title, rows, as_json=True)
    keys = list(rows[0]) if rows else []
    numbers = [str(number) for number in range(1, len(rows) + 1)]
    return _print_table(title, ["round", *numbers], [[key, *(_show(row[key]) for row in rows)] for key in keys])


def _print_table(title: str, heading: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = Table(*heading, title=title, title_justify="left", show_lines=True)
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def _show(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.1f}"
    if isinstance(cell, dict):
        return ", ".join(f"{count} {name}" for name, count in cell.items()) or "none"
    return "never" if cell is None else str(cell)
