"""Measures full disks: what is answered while one is full, what is lost, and how long until all goes on by itself.

    sudo .venv/bin/python -m tests.chaos.measure_full_disks [--only logs ...] [--rounds N] [--project CHECKOUT] [--json]

For the whole home, the objects, PostgreSQL and the logs: a stack of its own, on loopback, with that folder on a small
tmpfs mount (which needs root). Each round accepts documents, fills the disk to the last byte while they are being
processed, calls everything a user can call, frees the disk, and touches nothing more: it waits until all documents are
READY. A row says which calls succeeded and how the others failed, how every accepted document ended, how many deleted
ones came back, and whether the stack had to be started again by hand.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.chaos.light_load import Person, settle
from tests.chaos.measuring import fresh_stack, print_columns, read_options, say
from tests.chaos.small_disk import filled, small_disk
from tests.running_stack import RunningStack

PLACES = {"home": "", "objects": "data/ingestion/objects", "postgres": "postgres", "logs": "logs"}
SPARE_MIB = {"home": 96, "objects": 24, "postgres": 64, "logs": 24}
CALLS = ("list", "search", "ask", "upload", "delete", "log in")
FULL_SECONDS = 20.0
LIMIT_SECONDS = 120.0
UNDER_WAY = 3
SPARE = 3
SECTIONS = 40


def measure_round(stack: RunningStack, person: Person, folder: Path) -> dict:
    """Fills, calls, frees and waits once."""
    person.spare += [person.upload(1) for _ in range(SPARE)]
    person.accepted += [person.upload(SECTIONS) for _ in range(UNDER_WAY)]
    began = time.monotonic()
    with filled(folder):
        while time.monotonic() < began + FULL_SECONDS:
            for kind in CALLS:
                if kind != "delete" or person.spare:
                    person.try_to(kind)
            time.sleep(0.5)
    freed = time.monotonic()
    again = {kind: wait_for_success(person, kind, freed) for kind in ("list", "search", "ask", "process")}
    ended_by_itself = stack.process.poll() is not None
    if ended_by_itself:
        stack.start()
    states = person.wait_for_all(LIMIT_SECONDS)
    while_full = [one for one in person.outcomes if began <= one.began < freed]
    return {
        "answered while full": dict(Counter(one.kind for one in while_full if not one.error)),
        "refused while full": dict(Counter(f"{one.kind} {one.error}" for one in while_full if one.error)),
        **{f"{kind} works after s": seconds for kind, seconds in again.items()},
        "accepted ended as": states,
        "deleted came back": person.count_undeleted(),
        "restarts so far": {name: row["restarts"] for name, row in stack.processes().items() if row["restarts"]},
        "stack ended": ended_by_itself,
    }


def wait_for_success(person: Person, kind: str, freed: float) -> float | None:
    """Returns the seconds from the freeing of the disk to the first success of a call; None if it never comes."""
    while time.monotonic() < freed + LIMIT_SECONDS:
        outcome = person.try_to(kind)
        if not outcome.error:
            return round(outcome.ended - freed, 1)
        time.sleep(0.2)
    return None


def measure_place(project: Path, place: str, rounds: int) -> list[dict]:
    """Runs a stack with one of its folders on a small disk."""
    rows = []
    with fresh_stack(project) as stack:
        person = settle(stack)
        stack.stop()
        with small_disk(stack.home / PLACES[place], SPARE_MIB[place]) as folder:
            stack.start()
            for number in range(1, rounds + 1):
                say(f"{place}, round {number}")
                rows.append(measure_round(stack, person, folder))
            stack.stop()
    return rows


def main() -> None:
    """Measures and prints. Exits with 1 for anyone but root."""
    options = read_options(
        __doc__ or "",
        only={"nargs": "+", "choices": tuple(PLACES), "default": tuple(PLACES), "help": "these folders"},
        rounds={"type": int, "default": 3, "help": "how often each"},
    )
    if os.geteuid() != 0:
        sys.exit("Mounting a small tmpfs needs root: run this with sudo.")
    for place in options.only:
        rows = measure_place(options.project, place, options.rounds)
        print_columns(f"full disk: {place}", rows, as_json=options.json)


if __name__ == "__main__":
    main()
