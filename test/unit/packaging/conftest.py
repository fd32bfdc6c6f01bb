"""Builds a small tarball that is right in every respect, out of the real manifests, metadata and plugin wheel.

A test breaks one thing in the staged folder, packs it, and looks at what the checker says.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

from verify_tarball.__main__ import findings  # noqa: E402

APPLICATION = "ipsec-policy-operator"
MANIFESTS = "fluxcd-manifests"


def tar_of(files, gz=False):
    """A tar archive of {name: text} as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if gz else "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def chart(version="1.0.1", **files):
    """A packed chart; keyword arguments are templates."""
    texts = {f"{APPLICATION}/Chart.yaml": f"name: {APPLICATION}\nversion: {version}\n"}
    texts.update({f"{APPLICATION}/{name}": text for name, text in files.items()})
    return tar_of(texts, gz=True)


def image_archive(*tags):
    return tar_of({"manifest.json": json.dumps([{"Config": "a.json", "RepoTags": list(tags), "Layers": []}])})


class Stage:
    """The folder that becomes the tarball."""

    def __init__(self, folder):
        self.folder = folder
        self.name = f"{APPLICATION}-1.0-1.tgz"
        self.prefix = "./"
        self.member = lambda member: member

    def path(self, name):
        return self.folder / name

    def edit(self, name, change):
        """Change a YAML file through a function on its value."""
        value = yaml.safe_load(self.path(name).read_text())
        change(value)
        self.path(name).write_text(yaml.safe_dump(value))

    def replace(self, name, old, new):
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new))

    def sum_up(self):
        lines = []
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file() and p.name != "checksum.md5"):
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            lines.append(f"{digest}  ./{path.relative_to(self.folder)}\n")
        self.path("checksum.md5").write_text("".join(lines))

    def pack(self, folder):
        tarball = Path(folder) / self.name
        with tarfile.open(tarball, "w:gz") as tar:
            for path in [self.folder, *sorted(self.folder.rglob("*"), key=self._member_name)]:
                member = tar.gettarinfo(path, arcname=self._member_name(path))
                member.name = self._member_name(path)
                member.uid = member.gid = member.mtime = 0
                member = self.member(member)
                if member is not None:
                    with path.open("rb") if path.is_file() else io.BytesIO() as file:
                        tar.addfile(member, file)
        return tarball

    def _member_name(self, path):
        return "." if path == self.folder else f"{self.prefix}{path.relative_to(self.folder)}"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The plugin wheel, built once."""
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [ROOT / "scripts" / "package-wheel", out], capture_output=True, text=True, check=True, timeout=120
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def manifests(tmp_path_factory):
    """The manifests with their versions, filled in once."""
    out = tmp_path_factory.mktemp("manifests")
    subprocess.run([ROOT / "scripts" / "package-manifests", out], check=True, timeout=30)
    return out


@pytest.fixture
def stage(tmp_path, wheel, manifests):
    folder = tmp_path / "stage"
    for name in ("charts", "plugins", "image", "sbom"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "metadata.yaml", folder)
    shutil.copy(wheel, folder / "plugins")
    shutil.copytree(manifests, folder / MANIFESTS)
    (folder / "charts" / f"{APPLICATION}-1.0.1.tgz").write_bytes(chart())
    (folder / "image" / f"{APPLICATION}.tar").write_bytes(image_archive(f"starlingx/{APPLICATION}:1.0-1"))
    bom = {"bomFormat": "CycloneDX", "components": [{"name": "libc6"}]}
    (folder / "sbom" / "sbom.cdx.json").write_text(json.dumps(bom))
    return Stage(folder)


@pytest.fixture
def verify(stage, tmp_path):
    """Sum up, pack, and return the findings."""

    def run(sum_up=True):
        if sum_up:
            stage.sum_up()
        with tempfile.TemporaryDirectory() as folder:
            return findings(stage.pack(tmp_path), Path(folder))

    return run
