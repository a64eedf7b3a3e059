"""Wrong settings are said before anything starts."""

import pytest

from launcher.checks import check_settings
from launcher.settings import SettingError
from launcher.spec import ProcessSpec

# What `python -m <service> check-settings` does, in a few lines.
SERVICE = """
import os, sys
assert sys.argv[1:] == ["check-settings"]
if os.environ["DOCUCHAT_PROVIDER"] == "gpt":
    sys.stderr.write(f"{sys.argv[0]} does not start: DOCUCHAT_PROVIDER must be one of four\\n")
    sys.exit(2)
"""


@pytest.fixture(autouse=True)
def services(tmp_path, monkeypatch):
    """Services to import: two that check, one that is broken."""
    for name, code in (("service_one", SERVICE), ("service_two", SERVICE), ("broken", "raise ImportError('broken')")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def spec(name, provider):
    environment = {"DOCUCHAT_PROVIDER": provider}
    return ProcessSpec(name=name, command=("/bin/false",), environment=environment, checked_as=name)


async def test_good_settings_pass_without_a_word(capfd):
    await check_settings([spec("service_one", "openai"), ProcessSpec(name="postgres", command=("/bin/false",))])
    assert capfd.readouterr() == ("", "")


async def test_each_wrong_setting_is_said_and_each_service_sees_its_own_environment():
    with pytest.raises(SettingError) as error:
        await check_settings([spec("service_one", "gpt"), spec("service_two", "openai"), spec("service_two", "gpt")])
    said = "does not start: DOCUCHAT_PROVIDER must be one of four"
    assert str(error.value).splitlines() == [f"service_one {said}", f"service_two {said}"]


async def test_a_check_that_itself_fails_ends_the_start_too():
    with pytest.raises(SettingError, match=r"could not be checked \(status 1\): ImportError: broken"):
        await check_settings([spec("service_one", "openai"), spec("broken", "openai")])
