"""The plugin wheel: loaded as the framework loads it, against a stand-in of sysinv, in a process of its own."""

import ast
import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any

from .unpacked import Unpacked, UnreadableError, at

HERE = Path(__file__).resolve().parent
STAND_IN = HERE.parents[2] / "plugins" / "tests" / "standin"
OLDEST_PYTHON = (3, 9)


def wheel_file(unpacked: Unpacked) -> Iterator[str]:
    wheels = sorted(path.name for path in (unpacked.folder / "plugins").glob("*.whl"))
    if len(wheels) != 1:
        yield f"plugins/ must hold one wheel, holds {', '.join(wheels) or 'none'}"
    for name in wheels:
        if not name.endswith("-none-any.whl"):
            yield f"{name} is not pure Python: the platform unzips it and builds nothing"


def distribution_name(unpacked: Unpacked) -> Iterator[str]:
    with _open(unpacked) as wheel:
        name = _metadata(wheel)["Name"]
        modules = {entry.split("/")[0] for entry in wheel.namelist() if not entry.split("/")[0].endswith(".dist-info")}
    if {re.sub(r"[-_.]+", "_", str(name))} != modules:
        yield f"distribution {name} has the top-level modules {', '.join(sorted(modules))}: the plugin would not load"


def wheel_version(unpacked: Unpacked) -> Iterator[str]:
    with _open(unpacked) as wheel:
        version = _metadata(wheel)["Version"]
    if version != unpacked.app_version.replace("-", ".post"):
        yield f"the wheel's version {version} is not that of the application, {unpacked.app_version}"


def dependencies(unpacked: Unpacked) -> Iterator[str]:
    with _open(unpacked) as wheel:
        for needed in _metadata(wheel).get_all("Requires-Dist") or []:
            yield f"the wheel needs {needed}, which nobody installs"


def oldest_python(unpacked: Unpacked) -> Iterator[str]:
    with _open(unpacked) as wheel:
        for name in wheel.namelist():
            if name.endswith(".py"):
                try:
                    ast.parse(wheel.read(name), name, feature_version=OLDEST_PYTHON)
                except SyntaxError as error:
                    yield f"{name} is not Python {'.'.join(map(str, OLDEST_PYTHON))}: {error.msg}"


def entry_points(unpacked: Unpacked) -> Iterator[str]:
    found = _load(unpacked)
    for failure in found["failures"]:
        yield f"{failure}; the framework would load nothing after it and run no hooks"
    groups = found["groups"]
    application = unpacked.app_name
    plugins = groups.get("systemconfig.helm_applications", {}).get(application)
    if plugins is None:
        yield f"no entry point systemconfig.helm_applications for {application}"
    if not any(re.sub(r"_\d{3}$", "", name) == application for name in groups.get("systemconfig.app_lifecycle", {})):
        yield f"no entry point systemconfig.app_lifecycle for {application}: no hooks would run"
    charts = {re.sub(r"^\d{3}_", "", name) for name in groups.get(plugins or "", {})}
    for folder, release in unpacked.releases:
        if at(release, "metadata", "name") not in charts:
            yield f"no plugin for the HelmRelease in {folder}/: it would count as disabled"


def plugin_namespace(unpacked: Unpacked) -> Iterator[str]:
    for name, plugin in _load(unpacked)["charts"].items():
        if unpacked.namespace not in plugin["namespaces"].get(unpacked.app_name, []):
            yield f"plugin {name} does not serve namespace {unpacked.namespace}: its overrides would go nowhere"
        if list(plugin["overrides"]) != [unpacked.namespace]:
            yield f"plugin {name} gives overrides for {', '.join(plugin['overrides'])}, not {unpacked.namespace}"
        if not plugin["stable"]:
            yield f"plugin {name} gives other overrides the second time: the application would be applied for ever"


def _open(unpacked: Unpacked) -> zipfile.ZipFile:
    try:
        wheel = zipfile.ZipFile(next((unpacked.folder / "plugins").glob("*.whl")))
        broken = wheel.testzip()
    except (StopIteration, zipfile.BadZipFile, OSError) as error:
        raise UnreadableError("plugins/ holds no wheel that can be unzipped") from error
    if broken is not None:
        raise UnreadableError(f"{broken} in the wheel is damaged")
    return wheel


def _metadata(wheel: zipfile.ZipFile) -> Message:
    for name in wheel.namelist():
        if name.endswith(".dist-info/METADATA"):
            return message_from_string(wheel.read(name).decode())
    raise UnreadableError("the wheel has no METADATA")


def _load(unpacked: Unpacked) -> dict[str, Any]:
    """What `load_plugin.py` says about the wheel."""
    with _open(unpacked) as wheel:
        content = Path(str(wheel.filename)).read_bytes()
    found: dict[str, Any] = json.loads(_look_at(content))
    return found


@functools.cache
def _look_at(content: bytes) -> str:
    """Unzip the wheel and load it in a process of its own, as the platform does: nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            wheel.extractall(folder)
        path = os.pathsep.join([folder, str(STAND_IN)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(HERE / "load_plugin.py"), folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise UnreadableError(f"the plugin could not be looked at: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.splitlines()[-1]


RULES = [
    wheel_file, distribution_name, wheel_version, dependencies, oldest_python, entry_points, plugin_namespace,
]  # fmt: skip
