"""Runs alone, with the unzipped wheel and the stand-in of sysinv on its path: loads every entry point."""

import json
import sys
from importlib import import_module, metadata
from types import SimpleNamespace
from typing import Any


def load(folder: str) -> dict[str, Any]:
    """Entry points by group, those that fail, and what the chart plugins serve."""
    groups: dict[str, dict[str, str]] = {}
    failures: list[str] = []
    charts: dict[str, Any] = {}
    for distribution in metadata.distributions(path=[folder]):
        for entry in distribution.entry_points:
            groups.setdefault(entry.group, {})[entry.name] = entry.value
            if entry.group == "systemconfig.helm_applications":
                continue
            try:
                loaded = entry.load()
                if entry.group.startswith("systemconfig.helm_plugins."):
                    charts[entry.name] = chart(loaded)
                else:
                    loaded()
            except Exception as error:
                failures.append(f"entry point {entry.name} of {entry.group} fails: {type(error).__name__}: {error}")
    return {"groups": groups, "failures": failures, "charts": charts}


def chart(loaded: Any) -> dict[str, Any]:
    site = import_module("platform_standin")
    database = site.Database(site.host(1, "controller-0"), site.host(2, "controller-1"))
    made = loaded(SimpleNamespace(dbapi=database))
    first, second = made.get_overrides(), made.get_overrides()
    return {"namespaces": made.SUPPORTED_APP_NAMESPACES, "overrides": first, "stable": repr(first) == repr(second)}


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])))
