"""Images: seen by the framework's parser, and the same as the one that the tarball brings along."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .unpacked import MANIFESTS, Unpacked, UnreadableError, at


def override_images(unpacked: Unpacked) -> Iterator[str]:
    for folder, values in _static_overrides(unpacked):
        if not list(_seen(values)):
            yield f"{folder}: the static overrides name no image that the framework sees: upload would fail"
        yield from (f"{folder}: {sentence}" for sentence in _unseen(values))


def image_archive(unpacked: Unpacked) -> Iterator[str]:
    archives = sorted((unpacked.folder / "image").glob("*.tar"))
    if len(archives) != 1:
        yield f"image/ must hold one docker-archive *.tar, holds {len(archives)}"
        return
    carried = _names(archives[0])
    wanted = {image for _, values in _static_overrides(unpacked) for image in _seen(values)}
    for image in sorted(wanted - carried):
        yield f"image {image} is wanted, the archive holds {', '.join(sorted(carried)) or 'none'}"
    for image in sorted(carried):
        if image.rpartition(":")[2] != unpacked.app_version:
            yield f"image {image} has not the application's version {unpacked.app_version} as its tag"


def _static_overrides(unpacked: Unpacked) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder, release in unpacked.releases:
        for entry in at(release, "spec", "valuesFrom") or []:
            key = str(at(entry, "valuesKey"))
            if key.endswith("static-overrides.yaml"):
                yield folder, unpacked.mapping(f"{MANIFESTS}/{folder}/{key}")


def _seen(values: Any) -> Iterator[str]:
    """References of the one form that is safe: <component>.image.{repository, tag}, the tag a text."""
    if not isinstance(values, dict):
        return
    for key, below in values.items():
        if key == "image" and isinstance(below, dict) and isinstance(below.get("tag"), str):
            yield f"{below.get('repository')}:{below['tag']}"
        else:
            yield from _seen(below)


def _unseen(values: Any, path: str = "") -> Iterator[str]:
    """What looks like an image and is passed over in silence."""
    if isinstance(values, list):
        for index, below in enumerate(values):
            if list(_seen(below)):
                yield f"{path}[{index}] holds an image inside a list, which is not seen"
        return
    if not isinstance(values, dict):
        return
    for key, below in values.items():
        where = f"{path}.{key}".lstrip(".")
        if isinstance(below, dict) and "repository" in below:
            if key != "image":
                yield f"{where} is not seen: an image must stand under the key image"
            elif not isinstance(below.get("tag"), str):
                yield f"{where}.tag is {below.get('tag')!r}; only a quoted text is seen"
            if "digest" in below:
                yield f"{where}.digest is ignored: only the tag is fetched"
        else:
            yield from _unseen(below, where)


def _names(path: Path) -> set[str]:
    try:
        with tarfile.open(path) as tar:
            manifest = tar.extractfile("manifest.json")
            entries = json.load(manifest) if manifest else []
            names = [name for entry in entries for name in entry["RepoTags"] or []]
    except (tarfile.TarError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"image/{path.name} is no docker-archive") from error
    return {name if "." in name.split("/")[0] else f"docker.io/{name}" for name in names}


RULES = [override_images, image_archive]
