"""Brings the image that the tarball carries into the platform's own registry, so that no public one is needed.

The framework does nothing with an image in a tarball; what it finds in registry.local it does not fetch elsewhere.
The Docker engine does the work, through the same client and with the same credentials that the framework uses.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import docker
from oslo_log import log as logging
from sysinv.common import utils as cutils

from k8sapp_ipsec_policy_operator.constants import (
    APPLICATION,
    IMAGE_REPOSITORY,
    LOCAL_REGISTRY,
    PLATFORM_BUNDLES,
)

if TYPE_CHECKING:
    from sysinv.conductor.kube_app import Application

LOG = logging.getLogger(__name__)

# One answer of the engine may take this long; loading and pushing as a whole may take TOTAL_SECONDS.
ENGINE_SECONDS = 120
TOTAL_SECONDS = 240.0
# An apply can overtake the upload hook, and each of the two takes its local names away at the end.
_ONE_AT_A_TIME = threading.Lock()


class ImageError(Exception):
    """The image could not be brought into the registry; the message says why, in a sentence for an operator."""


def ensure_image(app: Application) -> None:
    """Load and push the image; without an archive, look whether the registry has it. Raises ImageError."""
    local = f"{LOCAL_REGISTRY}/{IMAGE_REPOSITORY}:{app.version}"
    try:
        with _ONE_AT_A_TIME, contextlib.closing(docker.APIClient(timeout=ENGINE_SECONDS)) as engine:
            credentials = cutils.get_local_docker_registry_auth()
            with _open_archive(app) as archive:
                if archive is not None:
                    _load_and_push(engine, archive, app.version, credentials)
                    LOG.info("Image %s is in the registry.", local)
                elif not _registry_has(engine, local, credentials):
                    LOG.warning(
                        "Image %s is not in the registry and no archive of it is on this controller (%s, %s); "
                        "it will be fetched from the public registry or its mirror.",
                        local,
                        app.inst_path,
                        _bundle(app),
                    )
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"Image {local} could not be brought into the registry: {error}") from error


@contextlib.contextmanager
def _open_archive(app: Application) -> Iterator[IO[bytes] | None]:
    """The docker-archive of the unpacked folder, else out of the platform's bundle, else None."""
    folder = os.path.join(app.inst_path, "image")
    names = sorted(name for name in _list(folder) if name.endswith(".tar"))
    if names:
        with open(os.path.join(folder, names[0]), "rb") as archive:
            yield archive
    elif os.path.exists(_bundle(app)):
        with tarfile.open(_bundle(app)) as bundle:
            members = (m for m in bundle if m.isfile() and m.name.startswith("./image/") and m.name.endswith(".tar"))
            member = next(members, None)
            yield None if member is None else bundle.extractfile(member)
    else:
        yield None


def _load_and_push(engine: docker.APIClient, archive: IO[bytes], version: str, credentials: dict[str, str]) -> None:
    """The tag of the registry moves with the last step of a push, so there is no half-loaded state to leave."""
    public = f"{IMAGE_REPOSITORY}:{version}"
    local_repository = f"{LOCAL_REGISTRY}/{IMAGE_REPOSITORY}"
    _check_name(archive, public)
    deadline = time.monotonic() + TOTAL_SECONDS
    try:
        _follow("load", engine.load_image(archive), deadline)
        engine.tag(public, local_repository, version, force=True)
        pushing = engine.push(local_repository, version, stream=True, decode=True, auth_config=credentials)
        _follow("push", pushing, deadline)
    finally:
        for name in (f"{local_repository}:{version}", public):
            _forget(engine, name)


def _check_name(archive: IO[bytes], expected: str) -> None:
    with tarfile.open(fileobj=archive) as tar:
        manifest = tar.extractfile("manifest.json")
        names = [name for entry in json.load(manifest) for name in entry["RepoTags"]] if manifest else []
    archive.seek(0)
    # Docker writes the short form of names in its own registry.
    if not {expected, expected.split("/", 1)[1]} & set(names):
        raise ImageError(f"The archive in the tarball holds {', '.join(names) or 'no image'}, not {expected}.")


def _follow(step: str, events: Iterable[dict[str, Any]], deadline: float) -> None:
    """Read the engine's answer to its end: it says 200 first, and what went wrong only later, in an event."""
    for event in events:
        if "error" in event:
            raise ImageError(f"The Docker engine could not {step} the image: {event['error']}")
        if time.monotonic() > deadline:
            raise ImageError(f"The Docker engine took more than {TOTAL_SECONDS:.0f} s to {step} the image.")


def _registry_has(engine: docker.APIClient, image: str, credentials: dict[str, str]) -> bool:
    try:
        engine.inspect_distribution(image, auth_config=credentials)
    except docker.errors.NotFound:
        return False
    return True


def _forget(engine: docker.APIClient, name: str) -> None:
    """The engine is only a way into the registry: its disk is not filled with images that nothing runs."""
    try:
        engine.remove_image(name)
    except docker.errors.NotFound:
        pass
    except docker.errors.APIError as error:
        LOG.warning("Image %s stays in the Docker engine: %s", name, error)


def _bundle(app: Application) -> str:
    return os.path.join(PLATFORM_BUNDLES, f"{APPLICATION}-{app.version}.tgz")


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
