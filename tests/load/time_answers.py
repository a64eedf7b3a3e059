"""Does the time of an answer tell who has an account? `python tests/load/time_answers.py [--calls 300] [--json]`.

auth serves in this process on a PostgreSQL of its own. For each way in, calls
about addresses that have a verified account and about addresses that have none
come in random order, one at a time, each address once. Mann and Whitney's rank
test (1947) says how probable the difference is if there is none.
"""

import argparse
import asyncio
import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg
import grpc
from auth_server import CLIENT_HEADER, AuthServer, run_auth

from auth.model.accounts import Registration
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.rpc.client import open_channel

PASSWORD, OTHER = "violet tractor hums at dawn", "seven quiet otters read news"
WAYS = ("SignUp", "Login", "RequestCode", "RequestPasswordReset")


@dataclass(frozen=True)
class Comparison:
    """One way in, both kinds of addresses."""

    way: str
    calls: int
    existing_ms: float
    absent_ms: float
    p: float


def rank_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the two-sided probability of Mann and Whitney's U by its normal approximation, for 20 values and more."""
    ordered = sorted((value, side) for side, values in enumerate((first, second)) for value in values)
    ranks = sum(rank for rank, (_, side) in enumerate(ordered, start=1) if side == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))


def make_request(way: str, email: str) -> object:
    """Returns what a stranger sends for an address."""
    return {
        "SignUp": lambda: pb.SignUpRequest(email=email, password=OTHER),
        "Login": lambda: pb.LoginRequest(email=email, password=OTHER),
        "RequestCode": lambda: pb.RequestCodeRequest(email=email),
        "RequestPasswordReset": lambda: pb.RequestPasswordResetRequest(email=email),
    }[way]()


async def compare(server: AuthServer, way: str, calls: int) -> Comparison:
    """Times one way in."""
    existing = [f"user{number}@{way.lower()}.example" for number in range(calls)]
    for start in range(0, calls, 10):
        batch = existing[start : start + 10]
        await asyncio.gather(*(server.flows.users.sign_up(Registration(email, PASSWORD)) for email in batch))
    await settle(server, way)
    # As long as the others, because longer strings take longer.
    absent = [f"none{number}@{way.lower()}.example" for number in range(calls)]
    plan = [(email, 0) for email in existing] + [(email, 1) for email in absent]
    random.shuffle(plan)
    times: tuple[list[float], list[float]] = ([], [])
    async with open_channel(server.address) as channel:
        method = getattr(AuthServiceStub(channel), way)
        for number, (email, side) in enumerate(plan):
            times[side].append(await time_call(method, make_request(way, email), number))
    medians = [statistics.median(each) * 1000 for each in times]
    return Comparison(way, calls, round(medians[0], 2), round(medians[1], 2), round(rank_test(*times), 3))


async def settle(server: AuthServer, way: str) -> None:
    """Makes the addresses of one way verified, and lets mail and statistics come to rest."""
    connection = await asyncpg.connect(server.admin_dsn)
    users = "UPDATE auth.users SET is_email_verified = true WHERE email LIKE $1"
    await connection.execute(users, f"%@{way.lower()}.example")
    await connection.execute("DELETE FROM auth.outbox")
    await connection.execute("VACUUM ANALYZE auth.users, auth.credentials, auth.codes, auth.outbox")
    await connection.close()


async def time_call(method: grpc.aio.UnaryUnaryMultiCallable, request: object, number: int) -> float:
    """Returns the seconds of one call, whatever it answers, from a client address of its own."""
    began = time.perf_counter()
    try:
        await method(request, metadata=((CLIENT_HEADER, f"10.0.{number >> 8}.{number & 255}"),))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            raise
    return time.perf_counter() - began


async def measure(calls: int) -> list[Comparison]:
    """Times all ways in, each with users of its own."""
    async with run_auth(code_requests_overall=10**6) as server:
        return [await compare(server, way, calls) for way in WAYS]


def main() -> None:
    """Prints medians and probabilities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="of each kind and way")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    comparisons = asyncio.run(measure(options.calls))
    if options.json:
        print(json.dumps([asdict(each) for each in comparisons]))
        return
    for each in comparisons:
        print(f"{each.way}: existing {each.existing_ms} ms, absent {each.absent_ms} ms, p = {each.p}")


if __name__ == "__main__":
    main()
