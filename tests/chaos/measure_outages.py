"""Measures outages: seconds until a function works again after its process was killed (kill -9) or stopped (SIGSTOP).

    .venv/bin/python -m tests.chaos.measure_outages [--only worker ...] [--rounds N] [--project CHECKOUT] [--json]

It starts a stack of its own in a temporary folder, on loopback, puts a light load on it (uploads, searches, questions,
lists, all of one user), and takes down one process after the other. Then it restarts the whole stack while long
documents are being indexed. With --project another checkout's stack is measured by the same tool.

A function works again when the first call succeeds after the last one that failed; 0.0 means that no call failed.
"never" means not within the limit: the process is then woken (SIGCONT) by hand, so that the next one can be measured.
"""

import os
import signal
import time
from dataclasses import dataclass

from tests.chaos.light_load import Outcome, Person, running_load, settle
from tests.chaos.measuring import fresh_stack, print_rows, read_options, say
from tests.running_stack import RunningStack

# What a user misses when the process is away.
FUNCTIONS = {
    "postgres": "list",
    "engine": "search",
    "auth": "log in",
    "retrieval": "search",
    "ingestion": "list",
    "worker": "process",
    "chat": "ask",
    "gateway": "list",
}
SIGNALS = {"kill -9": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
LOAD = ("upload", "search", "ask", "list")
LIMIT_SECONDS = 60.0
QUIET_SECONDS = 3.0
LONG_DOCUMENTS = 3
LONG_SECTIONS = 150


@dataclass
class Fault:
    """A process that has just been taken down."""

    stack: RunningStack
    name: str
    pid: int
    began: float

    def is_over(self) -> bool:
        """Tells whether the launcher has put another process in its place, and it is ready."""
        now = self.stack.processes()[self.name]
        return now["pid"] not in (None, self.pid) and now["state"] == "ready"


def measure_fault(stack: RunningStack, person: Person, name: str, how: str) -> dict:
    """Takes one process down; returns how long its function was away and which calls failed meanwhile."""
    say(f"{how} {name}")
    fault = Fault(stack, name, stack.processes()[name]["pid"], time.monotonic())
    os.kill(fault.pid, SIGNALS[how])
    tries = try_until_quiet(person, fault)
    seconds = find_recovery(tries, fault.began)
    replaced = fault.is_over()
    if not replaced:
        os.kill(fault.pid, signal.SIGCONT)
    stack.wait_healthy(LIMIT_SECONDS)
    time.sleep(QUIET_SECONDS)
    return {
        "fault": how,
        "process": name,
        "function": FUNCTIONS[name],
        "works again after s": seconds,
        "replaced by itself": replaced,
        "failed calls": person.errors(fault.began),
    }


def try_until_quiet(person: Person, fault: Fault) -> list[Outcome]:
    """Repeats the function's call until the process is back and the call has succeeded for a while."""
    tries, kind = list[Outcome](), FUNCTIONS[fault.name]
    quiet_since = None
    while time.monotonic() < fault.began + LIMIT_SECONDS:
        tries.append(person.try_to(kind))
        fine = not tries[-1].error and fault.is_over()
        quiet_since = (quiet_since or time.monotonic()) if fine else None
        if quiet_since and time.monotonic() - quiet_since > QUIET_SECONDS:
            break
        time.sleep(0.05)
    return tries


def find_recovery(tries: list[Outcome], began: float) -> float | None:
    """Returns the seconds until the first success after the last failure; None without any.

    An upload that is READY at last says itself how long it waited, so a slow success counts as an outage too.
    """
    failed = [number for number, one in enumerate(tries) if one.error]
    first = failed[-1] + 1 if failed else 0
    if first == len(tries):
        return None
    slow = tries[first].ended - tries[first].began > 1.5
    return round(tries[first].ended - began, 1) if failed or slow else 0.0


def measure_restart(stack: RunningStack, person: Person) -> dict:
    """Stops the stack and starts it again while long documents are being indexed."""
    say("restart under load")
    person.accepted += [person.upload(LONG_SECTIONS) for _ in range(LONG_DOCUMENTS)]
    time.sleep(QUIET_SECONDS)
    began = time.monotonic()
    status = stack.stop()
    stopped = time.monotonic()
    stack.start()
    healthy = time.monotonic()
    again = {kind: wait_for_success(person, kind) - began for kind in ("list", "search", "ask")}
    return {
        "exit status": status,
        "stop s": stopped - began,
        "start s": healthy - stopped,
        **{f"{kind} works again after s": seconds for kind, seconds in again.items()},
        "failed calls": person.errors(began),
    }


def wait_for_success(person: Person, kind: str) -> float:
    """Returns when a call first succeeds (monotonic clock)."""
    while True:
        outcome = person.try_to(kind)
        if not outcome.error:
            return outcome.ended
        time.sleep(0.05)


def main() -> None:
    """Measures and prints."""
    options = read_options(
        __doc__ or "",
        only={"nargs": "+", "choices": (*FUNCTIONS, "restart"), "default": (*FUNCTIONS, "restart"), "help": "these"},
        rounds={"type": int, "default": 1, "help": "how often each"},
    )
    faults, restarts = list[dict](), list[dict]()
    with fresh_stack(options.project) as stack:
        person = settle(stack)
        for _ in range(options.rounds):
            with running_load(person, *LOAD):
                time.sleep(QUIET_SECONDS)
                faults += [
                    measure_fault(stack, person, name, how)
                    for how in SIGNALS
                    for name in FUNCTIONS
                    if name in options.only
                ]
                if "restart" in options.only:
                    restarts.append(measure_restart(stack, person))
        kept = {"accepted": len(person.accepted), "ended as": person.wait_for_all(180)}
    print_rows("outages", faults, as_json=options.json)
    print_rows("restarts under load", restarts, as_json=options.json)
    print_rows("documents", [kept], as_json=options.json)


if __name__ == "__main__":
    main()
