"""Guesses codes by mail: `python tests/load/guess_codes.py [--guesses 10000] [--clients 1000] [--json]`.

The flows and stores of auth run in this process on a PostgreSQL of their own,
with a clock that the guessers move. They know nothing but may ask for codes,
come from as many addresses of the network as are given, and wait whenever they
are told to, for as long as it takes. What counts is how many guesses are
compared with a code that could be right: each is one chance in a million.
"""

import argparse
import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from auth_server import AuthServer, run_auth, with_clock

from auth.errors.accounts import AddressLocked, InvalidCode, TooManyAttempts
from auth.model.accounts import Client, Registration
from auth.model.codes import CodeUse
from servicekit.errors import AppError

CODES = 10**6
DAY = timedelta(days=1)


@dataclass
class Clock:
    """Stands still until the guessers wait."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Outcome:
    """What became of the guesses of one attack."""

    attack: str
    guesses: int
    days: float
    judged: int
    refused: dict[str, int]
    probability: float


async def attack(server: AuthServer, name: str, victims: list[str], options: argparse.Namespace) -> Outcome:
    """Guesses round-robin over victims and clients; before each guess there is a living code."""
    clock = Clock()
    flows, refused, judged = with_clock(server.flows, clock), Counter(), 0
    clients = itertools.cycle([Client(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") for n in range(options.clients)])
    deadline = clock.now + timedelta(days=options.days)
    for email, client in zip(repeat_each(victims, options.guesses), clients, strict=False):
        try:
            await flows.addresses.request(CodeUse.LOG_IN, email, client)
        except TooManyAttempts:
            refused["no new code"] += 1
        try:
            await flows.addresses.log_in(email, "000000", "", client)
        except InvalidCode:
            judged += 1
        except AppError as error:
            refused[type(error).__name__] += 1
            if isinstance(error, TooManyAttempts) and options.patient and clock.now < deadline:
                clock.now += timedelta(seconds=error.retry_after_seconds or 0)
            elif isinstance(error, AddressLocked) and len(victims) == 1:
                refused[type(error).__name__] += options.guesses - judged - sum(refused.values())
                break
        clock.now += timedelta(seconds=options.pause)
    days = (clock.now - Clock().now) / DAY
    return Outcome(name, options.guesses, round(days, 2), judged, dict(refused), 1 - (1 - 1 / CODES) ** judged)


def repeat_each(victims: list[str], guesses: int) -> Iterator[str]:
    """Yields so many addresses, round and round."""
    return itertools.islice(itertools.cycle(victims), guesses)


async def measure(options: argparse.Namespace) -> list[Outcome]:
    """Tries one address, and as many addresses as there are clients."""
    outcomes = []
    for name, count in (("one address", 1), ("many addresses", options.clients)):
        async with run_auth(with_mail=False) as server:
            victims = [f"victim{number}@example.com" for number in range(count)]
            for email in victims[: options.accounts]:
                await server.flows.users.sign_up(Registration(email, "violet tractor hums at dawn"))
            outcomes.append(await attack(server, name, victims, options))
    return outcomes


def main() -> None:
    """Prints how probable it was that a guess was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guesses", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--accounts", type=int, default=20, help="how many of the addresses have an account")
    parser.add_argument("--pause", type=float, default=1.0, help="simulated seconds between two guesses")
    parser.add_argument("--patient", action="store_true", help="wait as long as the answers ask")
    parser.add_argument("--days", type=float, default=1.0, help="simulated days after which nobody waits any more")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    outcomes = asyncio.run(measure(options))
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
        return
    for outcome in outcomes:
        print(f"{outcome.attack}: {outcome.guesses} guesses in {outcome.days} days, {outcome.judged} judged,")
        print(f"  probability of success {outcome.probability:.2e}; refused: {outcome.refused}")


if __name__ == "__main__":
    main()
