"""Asking every service, before anything starts, whether its settings make sense."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from launcher.settings import SettingError
from launcher.spec import ProcessSpec

_SECONDS = 60.0
_LONGEST_ANSWER = 2000


async def check_settings(specs: Sequence[ProcessSpec]) -> None:
    """Ask all services side by side. Raise SettingError with their sentences."""
    answers = await asyncio.gather(*(_ask(spec) for spec in specs if spec.check))
    if any(answers):
        raise SettingError("\n".join(filter(None, answers)))


async def _ask(spec: ProcessSpec) -> str:
    """Return what is wrong with the settings of a process; empty if nothing is."""
    process = await asyncio.create_subprocess_exec(
        *spec.check,
        env=dict(spec.environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, output = await asyncio.wait_for(process.communicate(), _SECONDS)
    except TimeoutError:
        return f"the settings of {spec.name} could not be checked within {_SECONDS:.0f} s"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    said = output.decode(errors="replace").strip()[-_LONGEST_ANSWER:]
    match process.returncode:
        case 0:
            return ""
        case 2:
            return said
        case status:
            last = said.rpartition("\n")[2]
            return f"the settings of {spec.name} could not be checked (status {status}): {last}"
