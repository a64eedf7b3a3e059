import asyncio
import os
import pickle
import sys
from pathlib import Path

import pytest

from ingestion.parsers.child import ChildProcessParser
from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.wire import decode_result, encode_document
from ingestion.text import (
    ContentType,
    FailureReason,
    Heading,
    Page,
    ParsedDocument,
    ParseFailure,
    ParseWarning,
    WarningReason,
)
from servicekit.errors import DependencyUnavailable, StorageFull

from .documents import encrypt_pdf, make_bomb_pdf, make_docx, make_pdf, replace_part, wrap_body

SMALL = ParseLimits(memory_bytes=400 * 1024**2, cpu_seconds=10, wall_seconds=30, max_pages=20)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc, seccomp and Landlock are Linux")

WARNING = ParseWarning(WarningReason.REPLACED_CHARACTERS, 3)


async def parse(path, raw, content_type=ContentType.PDF, limits=SMALL):
    file = path / "file"
    file.write_bytes(raw)
    return await ChildProcessParser(limits).parse(file, content_type)


async def failure_of(path, raw, content_type=ContentType.PDF, limits=SMALL):
    with pytest.raises(ParseFailure) as caught:
        await parse(path, raw, content_type, limits)
    return caught.value.reason


def list_children():
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.fixture
def children():
    """Lists the processes begun since the test began: the tests before it may have left servers for those behind."""
    before = list_children()
    return lambda: list_children() - before


@pytest.mark.parametrize(
    ("raw", "content_type", "text"),
    [
        (make_pdf([["Words on paper."]]), ContentType.PDF, "Words on paper."),
        (make_docx([("Heading 1", "Head"), ("Normal", "سلام")]), ContentType.DOCX, "Head\n\nسلام"),
        (b"# Head\n\nWords", ContentType.MARKDOWN, "# Head\n\nWords"),
        ("plain 😀".encode(), ContentType.TEXT, "plain 😀"),
        (make_pdf([[]]), ContentType.PDF, ""),
    ],
)
async def test_each_type_is_parsed_in_a_child(tmp_path, raw, content_type, text):
    assert (await parse(tmp_path, raw, content_type)).text == text


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", FailureReason.EMPTY),
        (b"%PDF-1.4 nothing", FailureReason.CORRUPT),
        (encrypt_pdf(make_pdf([["a"]]), "pw"), FailureReason.ENCRYPTED),
        (make_pdf([["x"]] * 21), FailureReason.TOO_MANY_PAGES),
    ],
)
async def test_a_file_that_cannot_be_read_has_its_reason(tmp_path, raw, reason):
    assert await failure_of(tmp_path, raw) is reason


async def test_a_pdf_that_inflates_without_end_reaches_the_limit(tmp_path):
    bomb = make_bomb_pdf(600)
    assert len(bomb) < 20_000
    assert await failure_of(tmp_path, bomb) is FailureReason.PARSE_LIMIT
    assert (await parse(tmp_path, make_pdf([["Still here."]]))).text == "Still here."


async def test_a_word_document_of_a_million_paragraphs_ends(tmp_path):
    body = "<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 1_000_000
    raw = replace_part(make_docx([]), "word/document.xml", wrap_body(body))
    assert await failure_of(tmp_path, raw, ContentType.DOCX) is FailureReason.PARSE_LIMIT


@linux_only
async def test_the_wall_clock_ends_a_child_and_none_is_left(tmp_path, children):
    limits = ParseLimits(wall_seconds=0.01)
    assert await failure_of(tmp_path, make_pdf([["x"]]), limits=limits) is FailureReason.PARSE_LIMIT
    assert children() == set()


@linux_only
async def test_a_text_larger_than_the_parent_will_hold_is_refused(tmp_path, children):
    limits = ParseLimits(max_result_bytes=10_000)
    assert await failure_of(tmp_path, b"words " * 500_000, ContentType.TEXT, limits) is FailureReason.PARSE_LIMIT
    assert children() == set()


@linux_only
async def test_cancelling_kills_the_child(tmp_path, children):
    task = asyncio.create_task(parse(tmp_path, make_bomb_pdf(600), limits=ParseLimits()))
    while not children():  # noqa: ASYNC110 - the kernel sets no event when a child appears
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()


async def test_a_child_that_crashes_or_talks_nonsense_is_a_damaged_file(tmp_path, monkeypatch):
    script = tmp_path / "python"
    for body in ("kill -BUS $$", "echo nonsense", "exit 3", "echo []"):
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
        assert await failure_of(tmp_path, b"x") is FailureReason.CORRUPT


@linux_only
async def test_a_file_that_the_disk_does_not_give_back_is_no_damaged_document():
    with pytest.raises(DependencyUnavailable):
        # Reading it from its start is an input/output error.
        await ChildProcessParser(SMALL).parse(Path("/proc/self/mem"), ContentType.TEXT)


FULL_DISK = """#!{python}
import runpy, sys
from ingestion.parsers import plain
full = open("/dev/full", "wb", buffering=0)
plain.parse_text = lambda raw: full.write(raw)
sys.argv = sys.argv[-3:]
runpy.run_module("ingestion.parsers.sandbox", run_name="__main__")
"""


@linux_only
async def test_a_disk_that_is_full_under_the_child_is_no_damaged_document(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(FULL_DISK.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(StorageFull):
        await parse(tmp_path, b"words", ContentType.TEXT)


def test_results_and_failures_survive_their_journeys():
    document = ParsedDocument("a\nب", (Page(1, 0),), (Heading(1, "a", 0),), "t", 1, (WARNING,))
    assert decode_result(encode_document(document)) == (document, "")
    failure = pickle.loads(pickle.dumps(ParseFailure(FailureReason.EMPTY, "why")))
    assert (failure.reason, failure.message, str(failure)) == (FailureReason.EMPTY, "why", "EMPTY: why")
