"""Puts the stand-in for sysinv where imports look, and builds the usual site: two controllers, a worker, a storage."""

import io
import json
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "standin")]

import conductor as sysinv_conductor  # noqa: E402
import platform_standin  # noqa: E402

from k8sapp_ipsec_policy_operator import hosts, image, lifecycle, namespace, overrides  # noqa: E402


def archive_bytes(tag="starlingx/ipsec-policy-operator:1.0-1", config="abc.json"):
    """The smallest docker-archive: a manifest that names its image."""
    text = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": []}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when somebody sleeps."""
    time = SimpleNamespace(now=0.0)

    def sleep(seconds):
        time.now += seconds

    for module in (namespace, hosts, image):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: time.now, sleep=sleep))
    return time


@pytest.fixture
def make_app(tmp_path):
    """An application as sysinv hands it over; its folder is unpacked unless said otherwise."""

    def make(version="1.0-1", unpacked=True, **archive):
        inst_path = tmp_path / "apps" / version
        if unpacked:
            (inst_path / "image").mkdir(parents=True)
            tag = f"starlingx/ipsec-policy-operator:{version}"
            data = archive_bytes(**{"tag": tag, "config": f"{version}.json", **archive})
            (inst_path / "image" / "ipsec-policy-operator.tar").write_bytes(data)
        return SimpleNamespace(name="ipsec-policy-operator", version=version, inst_path=str(inst_path))

    return make


@pytest.fixture
def site(monkeypatch, tmp_path, clock, make_app):
    """A duplex system with the application uploaded."""
    engine = platform_standin.Engine()
    monkeypatch.setattr(image.docker, "APIClient", engine.client)
    monkeypatch.setattr(image, "PLATFORM_BUNDLES", str(tmp_path / "bundles"))
    database = platform_standin.Database(
        platform_standin.host(1, "controller-0"),
        platform_standin.host(2, "controller-1"),
        platform_standin.host(3, "worker-0", "worker"),
        platform_standin.host(4, "storage-0", "storage", capabilities={}),
    )
    kube = platform_standin.Kubernetes("controller-0", "controller-1", "worker-0")
    made = sysinv_conductor.Conductor(
        lifecycle.IPsecPolicyOperatorLifecycle(), overrides.IPsecPolicyOperatorHelm, database, kube, engine
    )
    made.upload(make_app())
    return made
