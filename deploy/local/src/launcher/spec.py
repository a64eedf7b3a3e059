"""What a process is: the noun that plan, supervisor and console share."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Probe(Protocol):
    """Tells how a running process is. Each question takes a second or so; what is not there yet is no error."""

    async def is_ready(self) -> bool:
        """Tells whether the process does its work."""
        ...

    async def is_alive(self) -> bool:
        """Tells whether the process answers at all, be it that it cannot work now: a restart would not help that."""
        ...


@dataclass(frozen=True)
class ProcessSpec:
    """A process to run, and how to tell that it works."""

    name: str
    command: tuple[str, ...]
    """An absolute path and its arguments."""
    environment: Mapping[str, str] = field(repr=False, default_factory=dict)
    """The whole environment; nothing is inherited."""
    probe: Probe | None = None
    """None: it works as long as it runs."""
    needs: frozenset[str] = frozenset()
    """Names of processes that must be ready, or tasks that must be done, before the first start."""
    uses: frozenset[str] = frozenset()
    """Names of processes that it calls while it works; they, and those it needs, are stopped after it."""
    checked_as: str = ""
    """The service whose `check-settings` reads this environment, and says which settings are wrong."""
    address: str = ""
    """Where it listens, for people."""
    once: bool = False
    """A task that ends with status 0, rather than a process that stays."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10
    user: str | None = None
    """Run as this user instead of the launcher's own."""


class State(StrEnum):
    """What a process is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DONE = "done"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Event:
    """A process changed its state."""

    name: str
    state: State
    detail: str = ""
    """Such as an exit status, for people."""
