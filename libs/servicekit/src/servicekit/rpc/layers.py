"""What surrounds every call: each concern in a module of its own, their order here."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from servicekit.identity import acting_as
from servicekit.rpc.access import authenticate
from servicekit.rpc.call import Call, is_infrastructure
from servicekit.rpc.deadline import Deadline
from servicekit.rpc.errors import end_with_status
from servicekit.rpc.limit import Places, Shares
from servicekit.rpc.observation import Observation
from servicekit.rpc.rate import Rates
from servicekit.telemetry import get_logger
from servicekit.tokens import TokenVerifier

AnswerT = TypeVar("AnswerT")
Work = Callable[[], Awaitable[AnswerT]]
"""The handler: it validates each request message, and answers."""


class Layers:
    """The layers of a server, from outside in: observation, errors, limit, deadline, access, rate, share.

    Without a `verifier` every caller is let in as nobody: for a server whose
    socket is the access check. gRPC's own methods need no token and no place.
    """

    def __init__(
        self, service: str, verifier: TokenVerifier | None, places: Places | None = None, shares: Shares | None = None
    ) -> None:
        self._service = service
        self._log = get_logger("rpc")
        self._verifier = verifier
        self._places = places or Places()
        self._shares = shares or Shares()
        self._rates = Rates()

    async def run(self, call: Call, work: Work[AnswerT]) -> AnswerT:
        """Returns what the handler answers; ends the call with a status where it fails."""
        if is_infrastructure(call.method):
            return await self._run_open(call, work)
        with Observation(call, self._log):
            try:
                with self._places, Deadline(call):
                    caller = await authenticate(call, self._verifier) if self._verifier else None
                    self._rates.count(caller, call.metadata)
                    with self._shares.of(caller), acting_as(caller):
                        return await work()
            except Exception as error:
                await end_with_status(call, error, self._service)
                raise

    async def _run_open(self, call: Call, work: Work[AnswerT]) -> AnswerT:
        try:
            with Deadline(call):
                return await work()
        except Exception as error:
            await end_with_status(call, error, self._service)
            raise
