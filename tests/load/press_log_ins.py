"""What many log-ins cost everybody else: `python tests/load/press_log_ins.py [--rate 100] [--seconds 20] [--json]`.

auth serves in this process on a PostgreSQL of its own, and a task beside it
notes how late its event loop wakes it. A second process logs users in at a
steady rate, whether answers come or not, and asks who somebody is ten times a
second; first alone, then meanwhile.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

import grpc
from auth_server import CLIENT_HEADER, AuthServer, run_auth

from auth.model.accounts import Registration
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1 import user_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.rpc.client import open_channel

USERS = 50
PASSWORD = "violet tractor hums at dawn"
ASKING_SECONDS, LOOP_SECONDS = 0.1, 0.005


@dataclass(frozen=True)
class Phase:
    """Milliseconds, with so many log-ins a second offered."""

    offered: float
    log_ins: dict[str, int]
    log_in_p50: float
    get_me_p50: float
    get_me_p99: float
    loop_lag_p99: float


def pick(values: list[float], share: float) -> float:
    """Returns the value that so many are not above, in milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000, 1) if values else 0.0


async def note_lag(lags: list[float]) -> None:
    """Notes how much later than asked for the loop goes on."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LOOP_SECONDS)
        lags.append(time.perf_counter() - began - LOOP_SECONDS)


async def press(address: str, rate: float, seconds: float) -> dict:
    """Logs in at the rate and asks GetMe beside it; returns what each took."""
    outcomes: Counter[str] = Counter()
    log_ins: list[float] = []
    asked: list[float] = []

    async def log_in(number: int) -> None:
        request = pb.LoginRequest(email=f"user{number % USERS}@example.com", password=PASSWORD)
        began = time.perf_counter()
        try:
            await auth.Login(request, metadata=((CLIENT_HEADER, f"10.0.0.{number % 250}"),))
        except grpc.aio.AioRpcError as error:
            outcomes[error.code().name] += 1
        else:
            outcomes["OK"] += 1
            log_ins.append(time.perf_counter() - began)

    async def ask() -> None:
        while True:
            began = time.perf_counter()
            await users.GetMe(user_service_pb2.GetMeRequest())
            asked.append(time.perf_counter() - began)
            await asyncio.sleep(ASKING_SECONDS)

    async with open_channel(address, identity=lambda: token(address)) as channel:
        auth, users = AuthServiceStub(channel), UserServiceStub(channel)
        await users.GetMe(user_service_pb2.GetMeRequest())
        asking = asyncio.create_task(ask())
        began, sent = time.perf_counter(), []
        while (elapsed := time.perf_counter() - began) < seconds:
            while len(sent) < elapsed * rate:
                sent.append(asyncio.create_task(log_in(len(sent))))
            await asyncio.sleep(0.002)
        asking.cancel()
        await asyncio.gather(*sent)
    return {"outcomes": outcomes, "log_ins": log_ins, "asked": asked}


TOKENS: dict[str, str] = {}


async def token(address: str) -> str:
    """Returns the access token of one user, the same for all calls."""
    if address not in TOKENS:
        async with open_channel(address) as channel:
            answer = await AuthServiceStub(channel).Login(pb.LoginRequest(email="user0@example.com", password=PASSWORD))
        TOKENS[address] = answer.tokens.access_token
    return TOKENS[address]


async def watch(server: AuthServer, rate: float, seconds: float) -> Phase:
    """Lets a second process press, and watches this one's loop."""
    lags: list[float] = []
    noting = asyncio.create_task(note_lag(lags))
    arguments = ("--press", server.address, "--rate", str(rate), "--seconds", str(seconds))
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    noting.cancel()
    seen = json.loads(output)
    asked = seen["asked"]
    return Phase(
        rate, seen["outcomes"], pick(seen["log_ins"], 0.5), pick(asked, 0.5), pick(asked, 0.99), pick(lags, 0.99)
    )


async def measure(options: argparse.Namespace) -> list[Phase]:
    """Measures without and with log-ins."""
    async with run_auth() as server:
        for number in range(USERS):
            await server.flows.users.sign_up(Registration(f"user{number}@example.com", PASSWORD))
        return [await watch(server, rate, options.seconds) for rate in (0, options.rate)]


def main() -> None:
    """Prints both phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100, help="log-ins a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--press", metavar="ADDRESS", help="be the second process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.press:
        print(json.dumps(asyncio.run(press(options.press, options.rate, options.seconds))))
        return
    phases = asyncio.run(measure(options))
    print(json.dumps([asdict(phase) for phase in phases], indent=None if options.json else 2))


if __name__ == "__main__":
    main()
