"""Loads the fixtures that every part's tests share, and says what stays together when workers share the tests."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["testkit.plugin"]

SHARED = {"tests/e2e": "stack", "tests/parity": "stack", "tests/isolation": "stack", "tests/chaos": "chaos"}
SHARED |= {"gateway/tests": "envoy"}
"""Folders whose tests share what is dear to start. Elsewhere a module stays on one worker, with its fixtures."""


def find_group(nodeid: str) -> str:
    """Returns what the test shares a worker with."""
    module = nodeid.partition("::")[0]
    return SHARED.get(module.rpartition("/")[0], module)


def find_turn(item: pytest.Item) -> int:
    """Returns 0 for the longest group and 1 for the next: where short ones come last, all workers end at one time.

    What kills processes comes after what needs them whole: on one worker both have the same stack.
    """
    return {"stack": 0, "chaos": 1}.get(find_group(item.nodeid), 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in order, also after a shuffle."""
    items.sort(key=find_turn)


class GroupScheduling(LoadScopeScheduling):
    """Gives a group as a whole to the next free worker, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Returns how `-n` shares out the tests."""
    config.option.loadscopereorder = False
    return GroupScheduling(config, log)
