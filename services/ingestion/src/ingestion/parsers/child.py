"""Parses a document in a process of its own that can be killed at any time."""

import asyncio
import dataclasses
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.sandbox import BROKEN_MACHINE, OUT_OF_MEMORY, OUT_OF_SPACE, UNCONFINED
from ingestion.parsers.wire import decode_result
from ingestion.text import ContentType, FailureReason, ParsedDocument, ParseFailure
from servicekit.errors import AppError, DependencyUnavailable, StorageFull
from servicekit.telemetry import count_event, get_logger

READ_BYTES = 1024**2
# SIGXCPU and SIGKILL end a child at its CPU limit (the second also one that the kernel picks for lack of
# memory); the others are how PDFium ends when it gets no more memory.
LIMIT_SIGNALS = frozenset(
    {signal.SIGXCPU, signal.SIGKILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV}
)
# Ends that say nothing about the document: it waits, and no attempt is lost.
OUTAGES: dict[int, Callable[[], AppError]] = {
    OUT_OF_SPACE: lambda: StorageFull("the machine that reads documents"),
    BROKEN_MACHINE: lambda: DependencyUnavailable("file of the document"),
    UNCONFINED: lambda: DependencyUnavailable("sandbox for documents"),
}


class ChildProcessParser:
    """Parser that gives each document a fresh, confined, killable process with an empty environment."""

    def __init__(self, limits: ParseLimits) -> None:
        self._limits = limits

    async def parse(self, path: Path, content_type: ContentType) -> ParsedDocument:
        """Returns the document's canonical text and the places in it.

        Raises ParseFailure, and for what is no document's fault StorageFull and DependencyUnavailable.
        Cancelling the call, or reaching a limit, kills the child before it returns.
        """
        process = await self._start(path, content_type)
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                raw = await self._read_report(process)
                status = await process.wait()
        except TimeoutError as error:
            raise ParseFailure(FailureReason.PARSE_LIMIT, "Reading the document takes too long.") from error
        finally:
            await _kill(process)
        return _judge(raw, status)

    async def report_gaps(self) -> None:
        """Says in the log and in a metric which protections this machine does not give a child; once, at the start."""
        log = get_logger(__name__)
        try:
            gaps = await self._find_gaps()
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("sandbox_unknown", error=type(error).__name__)
            return
        for gap in gaps:
            count_event("sandbox.protection.missing", protection=gap)
            log.warning("sandbox_incomplete", missing=gap, documents_are_read=not self._limits.require_confinement)

    async def _find_gaps(self) -> list[str]:
        process = await _spawn("ingestion.parsers.confine", DEVNULL)
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                gaps: list[str] = json.loads(await self._read_report(process))
        finally:
            await _kill(process)
        return gaps

    async def _start(self, path: Path, content_type: ContentType) -> Process:
        limits = json.dumps(dataclasses.asdict(self._limits))
        with await asyncio.to_thread(path.open, "rb") as document:
            return await _spawn("ingestion.parsers.sandbox", document, content_type.value, limits)

    async def _read_report(self, process: Process) -> bytes:
        report = bytearray()
        while block := await _stdout(process).read(READ_BYTES):
            report += block
            if len(report) > self._limits.max_result_bytes:
                raise ParseFailure(FailureReason.PARSE_LIMIT, "The document holds more text than can be read.")
        return bytes(report)


async def _spawn(module: str, stdin: int | IO[bytes], *arguments: str) -> Process:
    return await create_subprocess_exec(
        sys.executable,
        *("-I", "-X", "utf8", "-m", module, *arguments),
        stdin=stdin,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
        start_new_session=True,
    )


def _stdout(process: Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise RuntimeError("the child was started without a pipe")
    return process.stdout


async def _kill(process: Process) -> None:
    """Ends the child for certain, also when the caller is being cancelled again meanwhile."""
    if process.returncode is None:
        process.kill()
        await asyncio.shield(_bury(process))


async def _bury(process: Process) -> None:
    """Waits for a killed child. A pipe left full would hide its end from asyncio, so it is emptied."""
    while await _stdout(process).read(READ_BYTES):
        pass
    await process.wait()


def _judge(raw: bytes, status: int) -> ParsedDocument:
    """Returns the document in a child's report; raises for a reported failure or a crash."""
    if status != 0:
        raise _explain_crash(status)
    try:
        result, detail = decode_result(raw)
    except (ValueError, KeyError, TypeError) as error:
        raise ParseFailure(FailureReason.CORRUPT, "The document is damaged and cannot be read.") from error
    if isinstance(result, ParseFailure):
        get_logger(__name__).info("document_not_parsed", reason=result.reason, detail=detail)
        raise result
    for warning in result.warnings:
        get_logger(__name__).info("document_parsed_in_part", reason=warning.reason, count=warning.count)
    return result


def _explain_crash(status: int) -> ParseFailure | AppError:
    get_logger(__name__).warning("parser_crashed", status=status)
    if status in OUTAGES:
        return OUTAGES[status]()
    if -status in LIMIT_SIGNALS or status == OUT_OF_MEMORY:
        return ParseFailure(
            FailureReason.PARSE_LIMIT, "Reading the document takes more memory or time than is allowed."
        )
    return ParseFailure(FailureReason.CORRUPT, "The document is damaged and cannot be read.")
