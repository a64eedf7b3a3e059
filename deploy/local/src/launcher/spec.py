"""What a process is: the noun that plan, supervisor and console share."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Probe(Protocol):
    """Tells whether a running process does its work."""

    async def is_ready(self) -> bool:
        """Ask once; takes at most a second and never raises for a process that is not there yet."""
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
