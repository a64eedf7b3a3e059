"""The life of a stack: up, watched, down."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Sequence

from rich.console import Console

from gateway.bootstrap import render
from gateway.config import GatewayConfigError, read_config
from launcher import postgres
from launcher.checks import check_settings
from launcher.console import StackConsole
from launcher.home import Home, hold_lock
from launcher.keys import load_keys
from launcher.mail import announce_mail
from launcher.plan import Plan, gateway_environment, list_processes, make_plan
from launcher.settings import SettingError, Settings, check_port_is_free
from launcher.spec import Event, ProcessSpec
from launcher.state import StateFile, end_leftovers, read_state
from launcher.supervisor import StartFailedError, Supervisor

PATIENCE_SECONDS = 60
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_stack(settings: Settings) -> int:
    """Brings the stack up and keeps it up until a signal; returns the exit status.

    Raises AlreadyRunningError, SettingError or PostgresSetupError before anything has been started.
    """
    home = Home(settings.home)
    home.create()
    console = StackConsole(Console())
    with hold_lock(home):
        _clear_leftovers(home, console)
        check_port_is_free(settings.port)
        plan = make_plan(settings, home, load_keys(home), os.environ)
        specs = list_processes(plan)
        asyncio.run(check_settings(specs))
        _write_files(plan, console)
        return asyncio.run(_supervise(plan, specs, console))


def _clear_leftovers(home: Home, console: StackConsole) -> None:
    record = read_state(home.state)
    ended = end_leftovers(record.processes) if record else []
    if ended:
        console.say(f"ended what a killed launcher had left running: {', '.join(ended)}")


def _write_files(plan: Plan, console: StackConsole) -> None:
    try:
        gateway = read_config(gateway_environment(plan))
    except GatewayConfigError as error:
        raise SettingError(f"gateway: {error}") from error
    render(gateway, plan.home.envoy)
    for folder in postgres.create_cluster(plan.home.postgres, plan.keys.postgres_password):
        console.say(f"{folder} lets other users pass now (not look), for PostgreSQL, which does not run as root")


async def _supervise(plan: Plan, specs: Sequence[ProcessSpec], console: StackConsole) -> int:
    def report(event: Event) -> None:
        state.update()
        console.show(event)

    supervisor = Supervisor(specs, plan.home.logs, report)
    state = StateFile(plan.home.state, plan.settings.url, supervisor.members, console.say)
    stopping = _listen_for_signals(supervisor, console)
    console.begin(supervisor.members)
    supervisor.start()
    chores = [asyncio.create_task(chore) for chore in _list_chores(supervisor, state, plan, console)]
    try:
        return await _run_until(stopping, supervisor, plan, console)
    finally:
        console.finish_table()
        await supervisor.stop()
        for chore in chores:
            chore.cancel()


def _list_chores(
    supervisor: Supervisor, state: StateFile, plan: Plan, console: StackConsole
) -> list[Coroutine[None, None, None]]:
    return [supervisor.keep_logs_small(), state.keep(), announce_mail(plan.home.mail, console.say)]


async def _run_until(stopping: asyncio.Event, supervisor: Supervisor, plan: Plan, console: StackConsole) -> int:
    """Waits for the stop signal, or for a failure that no restart mends; says meanwhile how it goes."""
    stop = asyncio.create_task(stopping.wait())
    failure = asyncio.create_task(supervisor.wait_failure())
    welcome = asyncio.create_task(_welcome(supervisor, plan, console))
    try:
        await asyncio.wait({stop, failure}, return_when=asyncio.FIRST_COMPLETED)
        if not failure.done():
            return 0
        failure.result()
    except StartFailedError as error:
        console.say(f"cannot go on: {error}")
    finally:
        for task in (stop, failure, welcome):
            task.cancel()
    return 1


async def _welcome(supervisor: Supervisor, plan: Plan, console: StackConsole) -> None:
    while True:
        try:
            await asyncio.wait_for(supervisor.wait_ready(), PATIENCE_SECONDS)
        except TimeoutError:
            late = [name for name, member in supervisor.members.items() if not member.ready.is_set()]
            console.say(f"still not ready: {', '.join(late)}; their logs are in {plan.home.logs}")
        else:
            return console.welcome(plan.settings, plan.home.logs)


def _listen_for_signals(supervisor: Supervisor, console: StackConsole) -> asyncio.Event:
    """Returns an event that the first signal sets; the second one ends every process at once."""
    stopping = asyncio.Event()

    def receive() -> None:
        if stopping.is_set():
            supervisor.kill()
        else:
            console.say("stopping; once more to end everything at once")
            stopping.set()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, receive)
    return stopping
