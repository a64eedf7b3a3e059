"""Loads the fixtures that every part's tests share."""

pytest_plugins = ["testkit.plugin"]
