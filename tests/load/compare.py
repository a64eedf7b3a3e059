"""Two checkouts side by side: `python tests/load/compare.py OLD NEW [--rounds N] [--only calls] [--json]`.

OLD and NEW are folders of the project after `make setup`. Both stacks run at once, each in a home of its own, in
front of the same model that answers at once (upstream.py); they are measured in turn, so that a machine that gets
slower does so for both. Prints medians over the rounds: CPU per answer and process, answers per second, first text
and whole answer beyond a search, and calls per second of GetMe and of a method behind the layers alone.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc
from bench import time_calls, write_part
from rich.console import Console
from rich.table import Table
from stacks import LayersServer, MeasuredStack, Upstream

from docuchat.auth.v1.user_service_pb2 import GetMeRequest
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from docuchat_client import DocuChat

CLIENTS = 16
Figures = dict[str, float]


async def prepare(stack: MeasuredStack) -> DocuChat:
    """Signs up on a stack and uploads a document of a hundred parts."""
    client = DocuChat.connect(stack.url)
    await client.sign_up(f"bench-{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(24))
    text = "\n\n".join(f"## Part {number}\n\n{write_part(number)}" for number in range(60))
    stored = await client.upload(text.encode(), filename="towers.md")
    await client.wait_until_ready(stored.document_id, limit_seconds=300)
    return client


async def ask(client: DocuChat, number: int) -> tuple[float, float]:
    """Reads one answer; returns the seconds to its first text and to its end."""
    began, first, last = time.monotonic(), 0.0, ""
    async for event in client.ask(f"How many ships did the keeper of tower {number % 60} count?"):
        last = event.WhichOneof("event")
        if last == "text_delta" and not first:
            first = time.monotonic() - began
    if last != "completed":
        raise RuntimeError(f"an answer ended with {last}")
    return first, time.monotonic() - began


async def measure_asks(stack: MeasuredStack, client: DocuChat, count: int) -> Figures:
    """Asks with many clients at once; CPU in milliseconds per answer."""

    async def one(number: int) -> None:
        await ask(client, number)

    before, began = stack.cpu_seconds(), time.monotonic()
    await time_calls(count, CLIENTS, one)
    spent = time.monotonic() - began
    after = stack.cpu_seconds()
    used = {f"CPU per answer, {name}, ms": (after[name] - before[name]) * 1000 / count for name in after}
    return {"answers/s at 16 clients": count / spent, **used}


async def measure_latency(client: DocuChat, count: int) -> Figures:
    """Asks and searches in turn, one client."""
    first, whole, search = list[float](), list[float](), list[float]()
    for number in range(count):
        began = time.monotonic()
        await client.search(f"How many ships did the keeper of tower {number % 60} count?")
        search.append(time.monotonic() - began)
        to_first, to_end = await ask(client, number)
        first.append(to_first)
        whole.append(to_end)
    median = statistics.median
    return {
        "search p50, ms": median(search) * 1000,
        "first text beyond a search, ms": (median(first) - median(search)) * 1000,
        "whole answer beyond a search, ms": (median(whole) - median(search)) * 1000,
    }


async def measure_method(address: str, token: str, count: int, cpu: Callable[[], float]) -> tuple[float, float]:
    """Calls GetMe with many clients at once; returns calls per second and CPU milliseconds per call."""
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = UserServiceStub(channel)

        async def one(_: int) -> None:
            await stub.GetMe(GetMeRequest(), metadata=metadata, timeout=30)

        await time_calls(50, CLIENTS, one)
        before, began = cpu(), time.monotonic()
        await time_calls(count, CLIENTS, one)
        spent = time.monotonic() - began
        return count / spent, (cpu() - before) * 1000 / count


async def measure_calls(stack: MeasuredStack, client: DocuChat, layers: LayersServer, count: int) -> Figures:
    """Measures GetMe at the auth service, the same method behind the layers alone, and bare."""
    tokens = client.session.tokens
    token = tokens.access_token if tokens else ""
    cases: dict[str, Callable[[], Awaitable[tuple[float, float]]]] = {
        "GetMe": lambda: measure_method(stack.address("auth"), token, count, lambda: stack.cpu_seconds()["auth"]),
        "layers alone": lambda: measure_method(layers.layered, layers.token, count, layers.cpu_seconds),
        "bare method": lambda: measure_method(layers.bare, layers.token, count, layers.cpu_seconds),
    }
    found: Figures = {}
    for name, case in cases.items():
        rate, cpu = await case()
        found |= {f"{name}, calls/s": rate, f"{name}, CPU ms": cpu}
    return found


async def measure(
    stacks: Sequence[MeasuredStack], layers: Sequence[LayersServer], rounds: int, asks: int, only: str
) -> list[dict[str, list[float]]]:
    """Measures the stacks in turn; returns every figure of every round, by stack. `only`: asks, calls or nothing."""
    clients = [await prepare(stack) for stack in stacks]
    for client in clients if only != "calls" else ():
        await measure_latency(client, 10)
    found: list[dict[str, list[float]]] = [defaultdict(list) for _ in stacks]
    for _ in range(rounds):
        for index, (stack, client, server) in enumerate(zip(stacks, clients, layers, strict=True)):
            figures: Figures = {}
            if only != "calls":
                figures |= await measure_latency(client, asks // 4)
                figures |= await measure_asks(stack, client, asks)
            if only != "asks":
                figures |= await measure_calls(stack, client, server, asks * 10)
            for name, value in figures.items():
                found[index][name].append(value)
    for client in clients:
        await client.close()
    return found


def print_table(old: dict[str, float], new: dict[str, float]) -> None:
    """Prints medians beside each other."""
    table = Table("measure", "old", "new", "new / old", title="medians over the rounds", title_justify="left")
    for name, before in old.items():
        after = new.get(name, 0.0)
        table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}" if before else "")
    Console().print(table)


def main() -> None:
    """Reads the command line, starts both stacks, measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--asks", type=int, default=120, help="answers a round and stack")
    parser.add_argument("--only", choices=("asks", "calls"), default="", help="measure answers, or single calls, alone")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="docuchat-compare-")))
        upstream = open_things.enter_context(Upstream())
        projects = (options.old.resolve(), options.new.resolve())
        stacks = [
            open_things.enter_context(MeasuredStack(project, folder / f"home-{number}", upstream.url))
            for number, project in enumerate(projects)
        ]
        layers = [open_things.enter_context(LayersServer(project)) for project in projects]
        found = asyncio.run(measure(stacks, layers, options.rounds, options.asks, options.only))
    old, new = ({name: statistics.median(values) for name, values in figures.items()} for figures in found)
    if options.json:
        sys.stdout.write(json.dumps({"old": old, "new": new}) + "\n")
    else:
        print_table(old, new)


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
