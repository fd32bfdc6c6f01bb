"""Packed charts: found under the name that the framework builds, and without what removal could not take back."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .unpacked import Unpacked, UnreadableError, at

FORBIDDEN_HOOKS = re.compile(r"helm\.sh/hook[\"']?\s*:\s*.*pre-(install|upgrade)")


def packed_charts(unpacked: Unpacked) -> Iterator[str]:
    paths = _packed(unpacked)
    if not paths:
        yield "charts/ holds no .tgz"
    for path in paths:
        chart = _chart(path)
        expected = f"{chart.get('name')}-{chart.get('version')}.tgz"
        if path.name != expected:
            yield f"charts/{path.name} must be called {expected}"


def chart_versions(unpacked: Unpacked) -> Iterator[str]:
    packed = {at(chart, "name"): at(chart, "version") for chart in map(_chart, _packed(unpacked))}
    for folder, release in unpacked.releases:
        wanted = at(release, "spec", "chart", "spec") or {}
        name, version = wanted.get("chart"), wanted.get("version")
        if name not in packed:
            yield f"HelmRelease in {folder}/ wants chart {name}, which is not packed"
        elif packed[name] != version:
            yield f"HelmRelease in {folder}/ wants {name} {version!r}, packed is {packed[name]!r}: apply would fail"


def chart_hooks(unpacked: Unpacked) -> Iterator[str]:
    for path in _packed(unpacked):
        for name, text in _texts(path).items():
            if "/templates/" in name and FORBIDDEN_HOOKS.search(text):
                yield f"{name} is a pre-install or pre-upgrade hook: timing out, it has everything removed"


def chart_crds(unpacked: Unpacked) -> Iterator[str]:
    for path in _packed(unpacked):
        if any("/crds/" in name for name in _texts(path)):
            yield f"{path.name} has a folder crds/: Helm would never upgrade nor delete what is in it"


def _packed(unpacked: Unpacked) -> list[Path]:
    return sorted((unpacked.folder / "charts").glob("*.tgz"))


def _texts(path: Path) -> dict[str, str]:
    """Content of every file in a packed chart, by its path."""
    try:
        with tarfile.open(path) as tar:
            files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            return {name: file.read().decode(errors="replace") for name, file in files.items() if file}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UnreadableError(f"charts/{path.name} is no packed chart") from error


def _chart(path: Path) -> dict[str, Any]:
    texts = [text for name, text in _texts(path).items() if re.fullmatch(r"[^/]+/Chart\.yaml", name)]
    try:
        found = yaml.safe_load(texts[0])
    except (IndexError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        raise UnreadableError(f"charts/{path.name} is no packed chart")
    return found


RULES = [packed_charts, chart_versions, chart_hooks, chart_crds]
