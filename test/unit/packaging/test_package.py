"""The build steps for wheel and manifests: same input, same bytes, and loadable as the platform loads them."""

import os
import subprocess
import zipfile
from importlib import metadata

import yaml

from conftest import APPLICATION, ROOT


def test_the_wheel_has_the_same_bytes_under_another_umask_and_time_zone(wheel, tmp_path):
    environment = {**os.environ, "TZ": "Asia/Tokyo"}
    script = f"umask 077; exec {ROOT / 'scripts' / 'package-wheel'} {tmp_path}"
    subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True, timeout=120)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_the_plugin_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as opened:
        tops = {name.split("/")[0] for name in opened.namelist()}
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in opened.infolist())
    assert tops == {"k8sapp_ipsec_policy_operator", "k8sapp_ipsec_policy_operator-1.0.post1.dist-info"}


def test_the_entry_points_are_found_in_the_unzipped_wheel(wheel, tmp_path):
    """The platform unzips and puts the folder on the path; nothing is installed."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
    found = {
        (entry.group, entry.name)
        for distribution in metadata.distributions(path=[str(tmp_path)])
        for entry in distribution.entry_points
    }
    assert found == {
        ("systemconfig.helm_applications", APPLICATION),
        ("systemconfig.helm_plugins.ipsec_policy_operator", f"001_{APPLICATION}"),
        ("systemconfig.app_lifecycle", APPLICATION),
    }


def test_the_manifests_have_the_versions_of_the_metadata_filled_in(tmp_path):
    subprocess.run([ROOT / "scripts" / "package-manifests", tmp_path], check=True, timeout=30)
    version = yaml.safe_load((ROOT / "metadata.yaml").read_text())["app_version"]
    release = yaml.safe_load((tmp_path / APPLICATION / "helmrelease.yaml").read_text())
    assert release["spec"]["chart"]["spec"]["version"] == version.replace("-", ".")
    values = yaml.safe_load((tmp_path / APPLICATION / f"{APPLICATION}-static-overrides.yaml").read_text())
    assert {values[component]["image"]["tag"] for component in ("manager", "agent")} == {version}
    assert not [path for path in tmp_path.rglob("*.yaml") if "@" in path.read_text()]
