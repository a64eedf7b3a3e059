"""Measures what a power cut would leave: forced writes before READY, repair of a damaged index, another embedder.

    .venv/bin/python -m tests.chaos.measure_power_cut [--only writes damage embedder] [--project CHECKOUT] [--json]

Three measurements, each on a stack of its own, on loopback, in a temporary folder:

- writes: strace (Debian: apt-get install strace) counts the fsync, fdatasync and msync calls of every process between
  an upload and the first look that finds it READY. What is not forced by then, a power cut takes away.
- damage: every process is killed at once, the tail of the engine's log is overwritten with zeros (first case) or the
  engine's folder is removed (second), and the stack is started again. Points are counted before and after, and
  documents that a search finds, until all are found again without a hand.
- embedder: the stack is restarted with an embeddings server of this script (OpenAI's API), and then with the local
  model again. Each time it says how many documents are found at once and after how many seconds all are.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.chaos.embeddings_stub import embeddings_stub
from tests.chaos.library import Library, open_library
from tests.chaos.measuring import fresh_stack, print_rows, read_options, say
from tests.documents import make_report
from tests.running_stack import RunningStack

DOCUMENTS = 8
LOG_HEAD_BYTES = 64
FORCED = re.compile(r"^(?:\d+ +)?[\d:.]+ (fsync|fdatasync|msync)\((?:\d+<([^>]*)>)?")
TRACED = ("postgres", "engine", "retrieval", "ingestion", "worker")


@contextmanager
def traced(stack: RunningStack, folder: Path) -> Iterator[None]:
    """Writes the forced writes of each process, and of its children, into a file of its name."""
    tracers = []
    for name in TRACED:
        process = psutil.Process(stack.processes()[name]["pid"])
        pids = [str(one.pid) for one in (process, *process.children(recursive=True))]
        attach = [part for pid in pids for part in ("-p", pid)]
        command = ["strace", "-f", "-y", "-tt", "-e", "trace=fsync,fdatasync,msync", "-o", str(folder / name), *attach]
        tracers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for tracer in tracers:
        # Its first words: it is attached.
        tracer.stderr.readline()
    try:
        yield
    finally:
        for tracer in tracers:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=20)


def measure_writes(project: Path, _: float) -> list[dict]:
    """Returns a row for each kind of file that was forced to the disk before READY."""
    if shutil.which("strace") is None:
        sys.exit("This needs strace: apt-get install strace.")
    with fresh_stack(project) as stack, tempfile.TemporaryDirectory() as folder:
        library = open_library(stack, 1)
        with traced(stack, Path(folder)):
            library.account.upload_ready(make_report(12, seed=77).encode(), "traced.md")
            calls = [(name, *call) for name in TRACED for call in read_calls(Path(folder) / name, stack.home)]
    return [
        {"process": name, "call": call, "file": file, "times before READY": times}
        for (name, call, file), times in sorted(Counter(calls).items())
    ] or [{"process": "any", "call": "none", "file": "", "times before READY": 0}]


def read_calls(trace: Path, home: Path) -> Iterator[tuple[str, str]]:
    """Yields each forced write as its call and the kind of file."""
    for line in trace.read_text(errors="replace").splitlines():
        found = FORCED.match(line)
        if found:
            yield found[1], name_file(found[2] or "(memory)", home)


def name_file(path: str, home: Path) -> str:
    """Returns a path below the home, with what differs from file to file left out."""
    parts = [part for part in path.removeprefix(f"{home}/").split("/") if not re.search(r"\d{3}|[0-9a-f-]{12}", part)]
    return "/".join(parts[:5])


def cut_power(stack: RunningStack) -> None:
    """Ends every process at once, the launcher last, so that none hears of the others' end."""
    os.kill(stack.process.pid, signal.SIGSTOP)
    for row in stack.processes().values():
        if row["pid"]:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(row["pid"])
                for one in (*process.children(recursive=True), process):
                    one.kill()
    stack.process.kill()
    stack.process.wait(10)


def cut_log(engine: Path) -> str:
    """Overwrites the second half of what the engine's logs hold with zeros; returns what was done."""
    cut = 0
    for log in [*engine.rglob("wal/open-*"), *engine.rglob("wal/closed-*")]:
        used = len(log.read_bytes().rstrip(b"\0"))
        if used <= LOG_HEAD_BYTES:
            continue
        with log.open("r+b") as file:
            file.seek(used // 2)
            file.write(bytes(used - used // 2))
        cut += used - used // 2
    return f"log's tail cut ({cut} bytes)"


def lose_folder(engine: Path) -> str:
    """Removes everything the engine keeps."""
    shutil.rmtree(engine)
    return "engine's folder lost"


def measure_damage(project: Path, limit: float) -> list[dict]:
    """Damages the engine's files in two ways and waits for the repair."""
    return [measure_repair(project, damage, limit) for damage in (cut_log, lose_folder)]


def measure_repair(project: Path, damage: Callable[[Path], str], limit: float) -> dict:
    """Cuts the power of a stack, damages its index, and waits until every document is found again."""
    say(damage.__name__)
    with fresh_stack(project) as stack:
        library = open_library(stack, DOCUMENTS)
        before = library.count_points()
        cut_power(stack)
        done = damage(stack.home / "data" / "retrieval" / "engine")
        healthy = start_again(stack)
        return {
            "damage": done,
            "healthy at start": healthy,
            "chunks": library.chunk_count,
            "points before": before,
            "points at start": count_safely(library),
            "documents": len(library.documents),
            "found at start": library.count_searchable(),
            "all found after s": library.wait_until_searchable(limit),
            "points after": count_safely(library),
        }


def start_again(stack: RunningStack) -> bool:
    """Starts a damaged stack; returns whether every service answered in time."""
    try:
        stack.start()
    except RuntimeError as error:
        say(str(error).splitlines()[0])
        return False
    return True


def count_safely(library: Library) -> int | None:
    """Returns the points, None where the engine has no collection yet."""
    try:
        return library.count_points()
    except Exception as error:  # noqa: BLE001 - a measurement says what it saw, whatever it was
        say(f"points cannot be counted: {type(error).__name__}")
        return None


def measure_embedder(project: Path, limit: float) -> list[dict]:
    """Restarts the stack with another embedder and back."""
    rows = []
    with embeddings_stub() as url, fresh_stack(project) as stack:
        library = open_library(stack, DOCUMENTS)
        other = {"DOCUCHAT_EMBEDDER": "openai", "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
        # The key is for embeddings alone.
        other |= {"OPENAI_EMBEDDING_MODEL": "words", "DOCUCHAT_PROVIDER": "extractive"}
        for name, settings in (("minilm -> stub", other), ("stub -> minilm", {})):
            say(name)
            stack.stop()
            stack.settings = settings
            stack.start()
            row = {"switch": name, "documents": len(library.documents), "found at start": library.count_searchable()}
            row["all found after s"] = library.wait_until_searchable(limit)
            rows.append(row | {"found in the end": library.count_searchable()})
    return rows


MEASUREMENTS = {"writes": measure_writes, "damage": measure_damage, "embedder": measure_embedder}


def main() -> None:
    """Measures and prints."""
    options = read_options(
        __doc__ or "",
        only={"nargs": "+", "choices": tuple(MEASUREMENTS), "default": tuple(MEASUREMENTS), "help": "these"},
        limit={"type": float, "default": 600.0, "help": "seconds to wait for a repair"},
    )
    for name in options.only:
        print_rows(name, MEASUREMENTS[name](options.project, options.limit), as_json=options.json)


if __name__ == "__main__":
    main()
