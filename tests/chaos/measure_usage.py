"""Measures the quota and the account: never more is spent than a plan allows, and no token is lost or counted twice.

    .venv/bin/python -m tests.chaos.measure_usage [--asks N] [--calls N] [--kills N] [--json]

It starts a stack of its own in a temporary folder. First it gives the plan room for half of N answers, asks all of them
at once, and says what was spent. Then it makes a mixed load of uploads, questions and searches while processes are
killed in turn, and compares what GET /v1/usage says with the sums of what is stored: answers and chunks.
"""

import http.client
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.accounts import Account, sign_up
from tests.chaos.measuring import fresh_stack, print_rows, read_options, say
from tests.documents import make_report
from tests.http_client import HttpClient
from tests.running_stack import RunningStack

KILLED = ("chat", "worker", "auth", "ingestion", "retrieval")
AT_ONCE = 16
SETTLE_SECONDS = 120.0
QUESTION = "What does the report say about its first section?"
STORED = {
    "ANSWER": "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM chat.messages"
    " WHERE tenant_id = $1 AND role = 'ASSISTANT'",
    "DOCUMENT": "SELECT coalesce(sum(token_count), 0) FROM ingestion.chunks WHERE tenant_id = $1",
}


def read_usage(account: Account) -> dict:
    """Returns the usage of this month by kind, and the quota."""
    reply = account.http.get("/v1/usage", group_by="KIND").json
    parts = {part["kind"]: int(part["input_tokens"]) + int(part["output_tokens"]) for part in reply["parts"]}
    return {**parts, "used": int(reply["quota"]["used_tokens"]), "reserved": int(reply["quota"]["reserved_tokens"])}


def try_to_ask(account: Account) -> str:
    """Asks once; returns how it ended."""
    connection = HttpClient(account.http.port, account.token, 60)
    try:
        reply = connection.post("/v1/ask", question=QUESTION)
        if reply.status != 200:
            return reply.reason
        last = reply.events[-1]
    except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError) as error:
        return type(error).__name__
    return "answered" if "completed" in last else last.get("error", {}).get("reason", "broken off")


def measure_quota(stack: RunningStack, asks: int) -> dict:
    """Asks `asks` questions at once on a plan that has room for half of them."""
    account = sign_up(stack)
    account.upload_ready(make_report(3, seed=1).encode(), "report.md")
    before = wait_until_settled(account)
    assert try_to_ask(account) == "answered"
    each = wait_until_settled(account)["used"] - before["used"]
    limit = before["used"] + each + each * asks // 2
    stack.query("UPDATE auth.plans SET monthly_tokens = $1 WHERE plan_id = 'enterprise'", limit)
    with ThreadPoolExecutor(asks) as pool:
        ends = Counter(pool.map(lambda _: try_to_ask(account), range(asks)))
    spent = wait_until_settled(account)["used"]
    stack.query("UPDATE auth.plans SET monthly_tokens = 0 WHERE plan_id = 'enterprise'")
    return {"asked at once": asks, "tokens an answer": each, "limit": limit, "spent": spent, **ends}


def measure_account(stack: RunningStack, calls: int, kills: int) -> dict:
    """Makes a mixed load while processes are killed; compares the account with what is stored."""
    account = sign_up(stack)
    account.upload_ready(make_report(3, seed=2).encode(), "report.md")
    chance = random.Random(7)
    done = Counter[str]()

    def call(number: int) -> None:
        connection = HttpClient(account.http.port, account.token, 60)
        kind = chance.choices(("ask", "search", "upload"), (6, 3, 1))[0]
        try:
            if kind == "ask":
                done[f"ask {try_to_ask(account)}"] += 1
            elif kind == "search":
                done[f"search {connection.post('/v1/search', query=QUESTION).status}"] += 1
            else:
                done[f"upload {connection.upload(make_report(2, seed=number + 100).encode(), 'r.md').status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            done[f"{kind} {type(error).__name__}"] += 1

    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(call, number) for number in range(calls)]
        for number in range(kills):
            while sum(each.done() for each in waiting) < calls * (number + 1) // (kills + 1):
                time.sleep(0.02)
            say(f"kill -9 {KILLED[number % len(KILLED)]}")
            stack.kill(KILLED[number % len(KILLED)])
        for each in waiting:
            each.result()
    stack.wait_recovered(SETTLE_SECONDS)
    wait_until_ended(account)
    usage = wait_until_settled(account)
    stored = {kind: int(stack.query(statement, account.tenant_id)) for kind, statement in STORED.items()}
    return {
        "calls": calls,
        "kills": kills,
        **{f"{kind} in the account": usage.get(kind, 0) for kind in STORED},
        **{f"{kind} stored": tokens for kind, tokens in stored.items()},
        "equal": all(usage.get(kind, 0) == tokens for kind, tokens in stored.items()),
        "QUERY in the account": usage.get("QUERY", 0),
        "still reserved": usage["reserved"],
        **dict(done.most_common()),
    }


def wait_until_ended(account: Account) -> None:
    """Waits until no document is under way any more."""
    end = time.monotonic() + SETTLE_SECONDS
    for state in ("UPLOADED", "PARSING", "CHUNKING", "INDEXING"):
        while account.http.get("/v1/documents", state=state).json["documents"] and time.monotonic() < end:
            time.sleep(0.5)


def wait_until_settled(account: Account) -> dict:
    """Returns the usage once it has not changed for six seconds."""
    end, last, since = time.monotonic() + SETTLE_SECONDS, {}, time.monotonic()
    while time.monotonic() < end:
        found = read_usage(account)
        if found != last:
            last, since = found, time.monotonic()
        elif time.monotonic() - since > 6:
            break
        time.sleep(0.5)
    return last


def main() -> None:
    """Measures both and prints them."""
    options = read_options(
        __doc__,
        asks={"type": int, "default": 200},
        calls={"type": int, "default": 500},
        kills={"type": int, "default": 10},
    )
    with fresh_stack(options.project) as stack:
        print_rows("quota", [measure_quota(stack, options.asks)], as_json=options.json)
        print_rows("account", [measure_account(stack, options.calls, options.kills)], as_json=options.json)


if __name__ == "__main__":
    main()
