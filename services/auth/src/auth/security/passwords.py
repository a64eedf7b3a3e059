"""What is slow about passwords, off the event loop: Argon2id (RFC 9106) and zxcvbn (Wheeler, USENIX Security 2016)."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError
from zxcvbn_rs_py import zxcvbn

from auth.errors.accounts import HasherBusy

# Time grows with length, up to a second for what mixes letters and look-alikes; 40 characters take 0.08 s at worst.
EXAMINED_CHARACTERS = 40
HASHING_NICENESS = 10

P = ParamSpec("P")
T = TypeVar("T")


class Argon2PasswordHasher:
    """A PasswordHasher. `threads` hashes are computed at once, `queue` may run or wait."""

    def __init__(self, *, memory_kib: int, passes: int, threads: int, queue: int) -> None:
        # One lane each: the threads of the pool are the parallelism, and they are counted.
        self._argon2 = argon2.PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=yield_to_others)
        self._queue = queue
        self._taken = 0
        # Made with today's parameters, so that an unknown address costs what a known one does.
        self._nobodys_hash = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Returns a hash with its salt and parameters. Raises HasherBusy."""
        return await self.run(self._argon2.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tells whether they belong together; with no hash it works as long and says no. Raises HasherBusy."""
        matches = await self.run(self._matches, password_hash or self._nobodys_hash, password)
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tells whether the hash was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(password_hash)

    def require_room(self) -> None:
        """Raises HasherBusy where a hash would be refused now."""
        # Refusing at once keeps the wait of those in line shorter than their deadlines.
        if self._taken >= self._queue:
            raise HasherBusy

    def close(self) -> None:
        """Ends the threads; hashes that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does work about passwords off the event loop. Raises HasherBusy."""
        self.require_room()
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))
        finally:
            self._taken -= 1

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except VerifyMismatchError:
            return False


def yield_to_others() -> None:
    """Lets whatever else wants to run go before the hashes of this thread: the event loop, and the database."""
    # Linux gives each thread a priority of its own; elsewhere it stays as it is.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)


class ZxcvbnGuesses:
    """A GuessCounter. `run` takes work off the event loop, among a bounded number of others."""

    def __init__(self, run: Callable[..., Awaitable[Any]]) -> None:
        self._run = run

    async def count_log10(self, password: str, known: Sequence[str]) -> float:
        """Returns the power of ten of the guesses; words in `known` are guessed first. Raises HasherBusy."""
        return float(await self._run(count_log10, password[:EXAMINED_CHARACTERS], list(known)))


def count_log10(password: str, known: list[str]) -> float:
    """Returns the power of ten of the guesses that find a password."""
    return zxcvbn(password, known).guesses_log10
