"""The hook's own code with a real Docker engine and a real registry; run by `scripts/test-plugin --engine`.

What is not the platform's here: the registry's name, plain HTTP, and credentials by htpasswd instead of its token
service.
"""

import functools
import tarfile

import docker
import engine_lab
import pytest
from sysinv.common import utils as cutils

from k8sapp_ipsec_policy_operator import image

pytestmark = pytest.mark.engine
REPOSITORY = "docker.io/starlingx/ipsec-policy-operator"
real_client = docker.APIClient


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    if engine_lab.missing():
        pytest.skip(engine_lab.missing())
    with engine_lab.engine(tmp_path_factory.mktemp("e")) as address:
        yield address


@pytest.fixture
def lab(engine, tmp_path, monkeypatch, make_app):
    """The hook pointed at this engine and at a registry that a test starts on `port`."""
    port = engine_lab.free_port()
    monkeypatch.setattr(image, "LOCAL_REGISTRY", f"localhost:{port}")
    monkeypatch.setattr(image, "PLATFORM_BUNDLES", str(tmp_path / "bundles"))
    monkeypatch.setattr(image.docker, "APIClient", functools.partial(real_client, base_url=engine))
    return Lab(tmp_path, port, make_app(), real_client(base_url=engine))


class Lab:
    def __init__(self, folder, port, app, client):
        self.folder, self.port, self.app, self.client = folder, port, app, client
        self.archive = f"{app.inst_path}/image/ipsec-policy-operator.tar"
        self.name = f"localhost:{port}/{REPOSITORY}"

    def registry(self, storage=None):
        return engine_lab.registry(self.folder, storage or self.folder / "storage", self.port)

    def write_archive(self, **size):
        return engine_lab.write_archive(self.archive, f"starlingx/ipsec-policy-operator:{self.app.version}", **size)

    def tags(self):
        return engine_lab.tags(self.port, REPOSITORY)

    def left_in_engine(self):
        return [tag for found in self.client.images() for tag in found["RepoTags"] or []]


def test_the_registry_gives_back_the_image_with_the_same_id(lab):
    identity = lab.write_archive()
    with lab.registry():
        image.ensure_image(lab.app)
        assert lab.tags() == ["1.0-1"]
        assert lab.left_in_engine() == []
        lab.client.pull(lab.name, tag="1.0-1", auth_config=cutils.CREDENTIALS)
        assert lab.client.inspect_image(f"{lab.name}:1.0-1")["Id"] == identity
        lab.client.remove_image(f"{lab.name}:1.0-1")


def test_twice_is_once(lab):
    lab.write_archive()
    with lab.registry():
        image.ensure_image(lab.app)
        image.ensure_image(lab.app)
        assert lab.tags() == ["1.0-1"]
        assert lab.left_in_engine() == []


def test_without_the_folder_the_image_comes_out_of_the_platforms_bundle(lab):
    identity = lab.write_archive()
    (lab.folder / "bundles").mkdir()
    with tarfile.open(lab.folder / "bundles" / "ipsec-policy-operator-1.0-1.tgz", "w:gz") as bundle:
        bundle.add(lab.app.inst_path, arcname=".")
    lab.app.inst_path = "/gone"
    with lab.registry():
        image.ensure_image(lab.app)
        lab.client.pull(lab.name, tag="1.0-1", auth_config=cutils.CREDENTIALS)
        assert lab.client.inspect_image(f"{lab.name}:1.0-1")["Id"] == identity
        lab.client.remove_image(f"{lab.name}:1.0-1")


def test_without_any_archive_the_registry_is_asked(lab, caplog):
    lab.write_archive()
    with lab.registry():
        image.ensure_image(lab.app)
        lab.app.inst_path = "/gone"
        image.ensure_image(lab.app)
        assert "public registry" not in caplog.text
        lab.app.version = "1.1-1"
        image.ensure_image(lab.app)
        assert "1.1-1 is not in the registry" in caplog.text


def test_the_registry_is_down(lab):
    lab.write_archive()
    with pytest.raises(image.ImageError, match=r"could not push the image: .*connection refused"):
        image.ensure_image(lab.app)
    assert lab.left_in_engine() == []


def test_wrong_credentials(lab, monkeypatch):
    lab.write_archive()
    monkeypatch.setattr(cutils, "CREDENTIALS", {"username": "sysinv", "password": "old"})
    with lab.registry():
        with pytest.raises(image.ImageError, match=r"could not push the image: .*(unauthorized|basic auth)"):
            image.ensure_image(lab.app)
        assert lab.tags() == []
    assert lab.left_in_engine() == []


def test_the_registrys_disk_is_full(lab):
    lab.write_archive(size=4 << 20)
    with engine_lab.small_disk(lab.folder / "small", "1m") as storage, lab.registry(storage):
        with pytest.raises(image.ImageError, match="could not push the image: "):
            image.ensure_image(lab.app)
        assert lab.tags() == []
    assert lab.left_in_engine() == []


def test_the_engines_disk_is_full(lab, tmp_path_factory, monkeypatch):
    lab.write_archive(size=32 << 20)
    folder = tmp_path_factory.mktemp("f")
    with engine_lab.small_disk(folder, "24m"), engine_lab.engine(folder) as address, lab.registry():
        monkeypatch.setattr(image.docker, "APIClient", functools.partial(real_client, base_url=address))
        with pytest.raises(image.ImageError, match="no space left on device"):
            image.ensure_image(lab.app)
        assert lab.tags() == []
        assert real_client(base_url=address).images() == []


def test_the_engine_is_down(lab, monkeypatch):
    monkeypatch.setattr(image.docker, "APIClient", functools.partial(real_client, base_url="unix:///nowhere.sock"))
    with pytest.raises(image.ImageError, match="could not be brought into the registry"):
        image.ensure_image(lab.app)
