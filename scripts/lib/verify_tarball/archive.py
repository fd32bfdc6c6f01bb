"""The tarball itself: names, sums, and what must or must not lie at its top."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from .unpacked import Unpacked


def file_name(unpacked: Unpacked) -> Iterator[str]:
    expected = f"{unpacked.app_name}-{unpacked.app_version}.tgz"
    if unpacked.tarball.name != expected:
        yield f"{unpacked.tarball.name} must be called {expected}, or the platform's folder does not find it"


def member_names(unpacked: Unpacked) -> Iterator[str]:
    bare = [member.name for member in unpacked.members if member.name != "." and not member.name.startswith("./")]
    if bare:
        yield f"{len(bare)} members ({bare[0]} ...) must begin with ./: automatic upload and update would not see them"


def member_kinds(unpacked: Unpacked) -> Iterator[str]:
    for member in unpacked.members:
        if not member.isfile() and not member.isdir():
            yield f"member {member.name} is neither a file nor a folder"
        needed = 0o500 if member.isdir() else 0o400
        if member.mode & needed != needed:
            yield f"member {member.name} has mode {member.mode:o}: the user sysinv cannot read it"


def reproducible(unpacked: Unpacked) -> Iterator[str]:
    names = [member.name for member in unpacked.members]
    if names != sorted(names):
        yield "members are not sorted by name"
    if len({member.mtime for member in unpacked.members}) > 1:
        yield "members have different times"
    if any(member.uid or member.gid for member in unpacked.members):
        yield "members have an owner other than 0:0"


def contents(unpacked: Unpacked) -> Iterator[str]:
    for name in ("charts", "fluxcd-manifests", "plugins"):
        if not (unpacked.folder / name).is_dir():
            yield f"folder {name}/ is missing"
    if (unpacked.folder / "images").exists():
        yield "a top-level images/ makes apply fail: 'embedded images are not yet supported'; use image/"


def stray_charts(unpacked: Unpacked) -> Iterator[str]:
    for name in unpacked.files():
        if name.endswith((".tgz", ".tar.gz")) and not name.startswith("charts/"):
            yield f"{name} would be unpacked in place as a chart"


def checksums(unpacked: Unpacked) -> Iterator[str]:
    lists = sorted(path.name for path in unpacked.folder.glob("*.md5"))
    if lists != ["checksum.md5"]:
        yield f"there must be one checksum.md5 at the top, found {', '.join(lists) or 'none'}: nothing would be checked"
        return
    listed = {}
    for line in (unpacked.folder / "checksum.md5").read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name.removeprefix("./")] = digest
    present = {name for name in unpacked.files() if name != "checksum.md5"}
    for name in sorted(present - listed.keys()):
        yield f"{name} is not listed: it would not be checked"
    for name in sorted(listed.keys() - present):
        yield f"{name or 'a line without a name'} is listed and not there"
    for name in sorted(present & listed.keys()):
        if _md5(unpacked.folder / name) != listed[name]:
            yield f"{name} has another sum than listed"


def sbom(unpacked: Unpacked) -> Iterator[str]:
    found = [name for name in unpacked.files() if "sbom" in name.lower() and name.endswith(".json")]
    if not found:
        yield "no SBOM (a CycloneDX file *sbom*.json)"
    for name in found:
        try:
            bom = json.loads((unpacked.folder / name).read_text())
        except ValueError:
            bom = None
        if not isinstance(bom, dict) or bom.get("bomFormat") != "CycloneDX" or not bom.get("components"):
            yield f"{name} is no CycloneDX list of components"


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


RULES = [file_name, member_names, member_kinds, reproducible, contents, stray_charts, checksums, sbom]
