"""Presses the sessions of a stack of its own: `python -m tests.load.press_sessions [--rate 50] [--lead 45] [--json]`.

1. 50 refreshes of one token at once: how many successors live?
2. The first token again after the grace: seconds until every service refuses
   the access token of its session.
3. `python -m auth rotate-keys` while requests come at a steady rate, spread over
   all services, with tokens of before, of the exchange and of after it: how
   many are refused?
"""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from tests.accounts import Account, sign_up
from tests.http_client import HttpClient
from tests.running_stack import RunningStack

AT_ONCE = 50
GRACE_SECONDS = 11
MOST_SECONDS = 30
SENDERS = 10
PATHS = {
    "auth": ("GET", "/v1/me", None),
    "ingestion": ("GET", "/v1/documents", None),
    "retrieval": ("POST", "/v1/search", b'{"query": "x"}'),
    "chat": ("GET", "/v1/conversations", None),
}


def ask(port: int, token: str, service: str) -> int:
    """Returns the status that a service answers a token with."""
    verb, path, body = PATHS[service]
    return HttpClient(port, token).send(verb, path, body, {"content-type": "application/json"} if body else {}).status


def refresh(stack: RunningStack, token: str) -> dict:
    """Returns the tokens that one is traded for; empty if it is refused."""
    reply = stack.http.post("/v1/auth/refresh", refresh_token=token)
    return reply.json["tokens"] if reply.status == 200 else {}


def refresh_at_once(stack: RunningStack, account: Account) -> tuple[dict, str]:
    """Returns how many successors 50 refreshes gave and how many of these live, and an access token of the session."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [each for each in pool.map(lambda _: refresh(stack, account.refresh_token), range(AT_ONCE)) if each]
    successors = {each["refresh_token"] for each in answers}
    alive = [tokens for tokens in (refresh(stack, each) for each in successors) if tokens]
    return {"answered": len(answers), "successors": len(successors), "alive": len(alive)}, alive[0]["access_token"]


def replay(stack: RunningStack, account: Account, token: str) -> dict[str, float]:
    """Returns the seconds after a replay until each service refuses the session's access token."""
    time.sleep(GRACE_SECONDS)
    assert not refresh(stack, account.refresh_token)
    began, seconds = time.monotonic(), {}
    while len(seconds) < len(PATHS) and time.monotonic() - began < MOST_SECONDS:
        for service in PATHS.keys() - seconds.keys():
            if ask(stack.port, token, service) == 401:
                seconds[service] = round(time.monotonic() - began, 2)
    return seconds


@dataclass
class Load:
    """Requests at a steady rate with a few sessions, each refreshed every few seconds."""

    stack: RunningStack
    rate: float
    statuses: Counter[int] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self):
        """Sends for as long as the block runs."""
        accounts = [sign_up(self.stack) for _ in range(SENDERS)]
        threads = [threading.Thread(target=self.send, args=(account,)) for account in accounts]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join()

    def send(self, account: Account) -> None:
        """Sends one session's share; every second request with the oldest token, which ends last."""
        first, tokens = account.token, {"access_token": account.token, "refresh_token": account.refresh_token}
        due, number = time.monotonic(), 0
        while not self.is_over.wait(max(0.0, due - time.monotonic())):
            due += SENDERS / self.rate
            number += 1
            if number % 25 == 0:
                tokens = refresh(self.stack, tokens["refresh_token"])
            token = tokens["access_token"] if number % 2 else first
            self.statuses[ask(self.stack.port, token, list(PATHS)[number // 2 % len(PATHS)])] += 1
            self.keys[jwt.get_unverified_header(token)["kid"][:8]] += 1


def rotate(stack: RunningStack, rate: float, lead: int) -> dict:
    """Exchanges the key under load; returns what was answered, and how many requests each key signed."""
    load = Load(stack, rate)
    with load.running():
        time.sleep(10)
        environment = os.environ | {
            "DOCUCHAT_SIGNING_KEY_FILE": str(stack.home / "secrets" / "signing_key.pem"),
            "DOCUCHAT_KEY_LEAD_SECONDS": str(lead),
        }
        subprocess.run([stack.python, "-m", "auth", "rotate-keys"], check=True, env=environment, capture_output=True)
        time.sleep(lead + 20)
    return {"statuses": dict(load.statuses), "requests_by_key": dict(load.keys)}


def main() -> None:
    """Prints all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50, help="requests a second during the exchange")
    parser.add_argument(
        "--lead", type=int, default=45, help="seconds for which the next key is published before it signs"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="press-sessions-") as folder:
        stack = RunningStack(Path(folder) / "home")
        stack.start()
        try:
            account = sign_up(stack)
            refreshed, token = refresh_at_once(stack, account)
            seconds = replay(stack, account, token)
            rotated = rotate(stack, options.rate, options.lead)
        finally:
            stack.stop()
    found = {"refreshes": refreshed, "seconds_until_refused": seconds, "rotation": rotated}
    print(json.dumps(found, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
