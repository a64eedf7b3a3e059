"""Measures parsing on a folder of documents: `python tests/evals/measure_parsing.py FOLDER`.

Each file is read in a child as confined as the worker's. Prints its state, characters, warnings, processor seconds
and peak memory; for a PDF also how many of the words are kept that PDFium sees on its pages, or, if a file of the same
name ending in .txt lies beside it, that this one holds.
"""

import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pypdfium2

from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.sniff import HEAD_BYTES, sniff_content_type
from ingestion.text import ContentType, canonicalise

WORD = re.compile(r"\w+")
FEW = 0.9


def parse(path, content_type):
    """Returns the child's report, or its exit status, and its resource usage."""
    command = [sys.executable, "-I", "-X", "utf8", "-m", "ingestion.parsers.sandbox", content_type.value]
    with path.open("rb") as document:
        child = subprocess.Popen(
            [*command, json.dumps(asdict(ParseLimits()))],
            stdin=document,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        raw = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    report = json.loads(raw) if raw else {"failure": {"reason": f"EXIT {child.returncode}"}}
    return report, usage


def count_words(text):
    return Counter(WORD.findall(canonicalise(text).casefold()))


def read_reference(path, content_type):
    beside = path.with_suffix(".txt")
    if content_type is not ContentType.PDF or beside == path:
        return Counter()
    if beside.exists():
        return count_words(beside.read_text())
    try:
        pages = list(pypdfium2.PdfDocument(path))
    except pypdfium2.PdfiumError:
        return Counter()
    # U+FFFE is PDFium's hyphen in a broken word.
    return count_words("\n".join(page.get_textpage().get_text_range().replace("\ufffe", "") for page in pages))


def find_documents(folder):
    """Yields path and type of what is of a type that can be read."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as document:
            content_type = sniff_content_type(document.read(HEAD_BYTES), path.name)
        if content_type:
            yield path, content_type


def describe(report, usage):
    document = report.get("document", {"text": "", "warnings": []})
    state = report["failure"]["reason"] if "failure" in report else "READY" if document["text"] else "NO_TEXT"
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024
    warnings = "".join(f", {warning['reason']} {warning['count']}" for warning in document["warnings"])
    return f"{state}, {len(document['text'])} characters, {cpu:.2f} s, {peak} MB{warnings}", document["text"]


def main(folder):
    # First all children: the kernel counts as theirs what this process holds when it starts them.
    results = [(path, kind, *describe(*parse(path, kind))) for path, kind in find_documents(folder)]
    recalls = []
    for path, kind, description, text in results:
        wanted = read_reference(path, kind)
        print(f"{path.name}: {description}", end="" if wanted else "\n")
        if wanted:
            recalls.append((wanted & count_words(text)).total() / wanted.total())
            print(f", recall {recalls[-1]:.3f}")
    if recalls:
        below = sum(recall < FEW for recall in recalls)
        print(f"recall of {len(recalls)} files: median {statistics.median(recalls):.4f}, {below} below {FEW}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
