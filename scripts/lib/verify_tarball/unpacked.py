"""The tarball as the framework sees it after unpacking: a folder, the list of members, and YAML read strictly."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = "fluxcd-manifests"


class UnreadableError(Exception):
    """A file that a rule needs is missing or is no YAML of the expected shape."""


@dataclass(frozen=True)
class Unpacked:
    tarball: Path
    folder: Path
    members: list[tarfile.TarInfo]

    @classmethod
    def of(cls, tarball: Path, folder: Path) -> "Unpacked":
        """Unpack into the folder; raises UnreadableError."""
        try:
            with tarfile.open(tarball, "r:gz") as tar:
                members = tar.getmembers()
                tar.extractall(folder, filter="data")
        except tarfile.TarError as error:
            raise UnreadableError(f"not a tarball that can be unpacked: {error}") from error
        return cls(tarball, folder, members)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return self.mapping("metadata.yaml")

    @property
    def app_name(self) -> str:
        return str(self.metadata.get("app_name"))

    @property
    def app_version(self) -> str:
        return str(self.metadata.get("app_version"))

    @cached_property
    def release_folders(self) -> list[str]:
        """Folders of the HelmReleases: every entry of the root kustomization but `base`."""
        entries = self.mapping(f"{MANIFESTS}/kustomization.yaml").get("resources") or []
        return [str(entry).strip("./") for entry in entries if str(entry).strip("./") != "base"]

    @cached_property
    def releases(self) -> list[tuple[str, dict[str, Any]]]:
        """HelmReleases with the folder that they stand in."""
        return [(name, self.mapping(f"{MANIFESTS}/{name}/helmrelease.yaml")) for name in self.release_folders]

    @property
    def namespace(self) -> Any:
        return self.mapping(f"{MANIFESTS}/kustomization.yaml").get("namespace")

    def files(self) -> list[str]:
        """Every regular file, relative and sorted."""
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())

    def documents(self, name: str) -> list[Any]:
        try:
            return list(yaml.safe_load_all((self.folder / name).read_text()))
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableError(f"{name} is missing or unreadable") from error
        except yaml.YAMLError as error:
            raise UnreadableError(f"{name} is not YAML: {' '.join(str(error).split())}") from error

    def mapping(self, name: str) -> dict[str, Any]:
        documents = self.documents(name)
        if len(documents) != 1 or not isinstance(documents[0], dict):
            raise UnreadableError(f"{name} must hold one document, a mapping")
        return documents[0]


def at(value: Any, *keys: str) -> Any:
    """The value below these keys, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def texts(value: Any) -> Iterator[str]:
    """Every text in a YAML value, keys too."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from texts(key)
            yield from texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts(below)
    elif isinstance(value, str):
        yield value
