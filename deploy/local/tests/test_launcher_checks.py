"""Wrong settings are said before anything starts."""

import sys

import pytest

from launcher.checks import check_settings
from launcher.settings import SettingError
from launcher.spec import ProcessSpec

# What `python -m <service> check-settings` does, in a few lines.
CHECK = """
import os, sys
if os.environ["DOCUCHAT_PROVIDER"] == "gpt":
    sys.stderr.write(sys.argv[1] + " does not start: DOCUCHAT_PROVIDER must be one of four")
    sys.exit(2)
"""


def spec(name, provider, code=CHECK):
    check = (sys.executable, "-c", code, name)
    return ProcessSpec(name=name, command=("/bin/false",), environment={"DOCUCHAT_PROVIDER": provider}, check=check)


async def test_good_settings_pass_without_a_word(capfd):
    await check_settings([spec("chat", "openai"), ProcessSpec(name="postgres", command=("/bin/false",))])
    assert capfd.readouterr() == ("", "")


async def test_each_wrong_setting_is_said_with_the_name_of_its_service():
    with pytest.raises(SettingError) as error:
        await check_settings([spec("chat", "gpt"), spec("auth", "openai"), spec("retrieval", "gpt")])
    lines = str(error.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["chat", "retrieval"]
    assert all("must be one of four" in line for line in lines)


async def test_a_check_that_itself_fails_ends_the_start_too():
    with pytest.raises(SettingError, match=r"could not be checked \(status 1\): ImportError: broken"):
        await check_settings([spec("chat", "openai", "raise ImportError('broken')")])
