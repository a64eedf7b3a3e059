"""What a key and the limits cost a search: `python tests/load/compare_searches.py OLD NEW [--searches N] [--json]`.

OLD and NEW are folders of the project after `make setup`; OLD may be from before there were keys. Both stacks run at
once and are asked in turn, search by search, so that whatever else the machine does happens to both: OLD and NEW with a
session's token, and NEW with an API key. NEW has its limits on, too high to be reached. Prints medians, and searches
per second of 16 clients.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import Latencies, time_calls
from compare import CLIENTS, prepare
from rich.console import Console
from rich.table import Table
from stacks import MeasuredStack, Upstream

from docuchat_client import DocuChat

ROUNDS = 10
OLD, NEW, KEYED = "old, session", "new, session", "new, API key"


def make_key(stack: MeasuredStack, client: DocuChat) -> str:
    """Returns the secret of a key that may read."""
    tokens = client.session.tokens
    headers = {"authorization": f"Bearer {tokens.access_token if tokens else ''}", "content-type": "application/json"}
    body = json.dumps({"name": "bench", "scopes": ["READ"]}).encode()
    request = urllib.request.Request(f"{stack.url}/v1/api-keys", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["secret"])


async def search(client: DocuChat, number: int) -> None:
    """Searches for what no other number asks."""
    await client.search(f"How many ships did the keeper of tower {number % 60} count on day {number}?")


async def measure_latencies(clients: Mapping[str, DocuChat], count: int) -> dict[str, Latencies]:
    """Searches in turn, one after the other."""
    spent: dict[str, list[float]] = {name: [] for name in clients}
    for number in range(count):
        for name, client in clients.items():
            began = time.monotonic()
            await search(client, number)
            spent[name].append(time.monotonic() - began)
    return {name: Latencies.of(values) for name, values in spent.items()}


async def measure_rates(clients: Mapping[str, DocuChat], count: int) -> dict[str, float]:
    """Searches with many at once, in short rounds in turn; returns the median round's searches per second."""
    rates: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, client in clients.items():

            async def one(number: int, client: DocuChat = client) -> None:
                await search(client, number)

            began = time.monotonic()
            await time_calls(count // ROUNDS, CLIENTS, one)
            rates[name].append(count // ROUNDS / (time.monotonic() - began))
    return {name: statistics.median(values) for name, values in rates.items()}


async def measure(old: MeasuredStack, new: MeasuredStack, count: int) -> dict[str, dict[str, float]]:
    """Returns the figures of each kind of caller."""
    before, after = await prepare(old), await prepare(new)
    clients = {OLD: before, NEW: after, KEYED: DocuChat.connect(new.url, access_token=make_key(new, after))}
    await measure_latencies(clients, 20)
    latencies, rates = await measure_latencies(clients, count), await measure_rates(clients, count)
    for client in clients.values():
        await client.close()
    return {
        name: {"p50, ms": latencies[name].p50_ms, "p95, ms": latencies[name].p95_ms, "searches/s": rates[name]}
        for name in clients
    }


def print_table(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Prints the figures beside each other, with their share of the first."""
    names = list(figures[OLD])
    table = Table("search by", *names, title_justify="left")
    for caller, row in figures.items():
        table.add_row(caller, *(f"{row[name]:.1f} ({row[name] / figures[OLD][name]:.3f})" for name in names))
    Console().print(table)


def main() -> None:
    """Reads the command line, starts both stacks, measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="docuchat-compare-")))
        upstream = open_things.enter_context(Upstream())
        old, new = (
            open_things.enter_context(MeasuredStack(project.resolve(), folder / f"home-{number}", upstream.url))
            for number, project in enumerate((options.old, options.new))
        )
        figures = asyncio.run(measure(old, new, options.searches))
    if options.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        print_table(figures)


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
