"""What the chart renders, against the schemas of every Kubernetes that the application supports, offline.

A field that a version does not know is an error: the API server would drop it without a word.
"""

import subprocess
from functools import cache

import pytest
import yaml
from kubernetes_validate import utils as schemas
from packaging.version import Version

from conftest import APPLICATION, ROOT

OLDEST = yaml.safe_load((ROOT / "metadata.yaml").read_text())["supported_k8s_version"]["minimum"]
# Of each minor version its first release.
VERSIONS = sorted({version for version in schemas.all_versions() if Version(version) >= Version(OLDEST)}, key=Version)
HAVE_ADMISSION_POLICIES = Version("1.30")
# Everything that the chart can render beside its defaults.
FULL = [
    *("--set", "imagePullSecrets[0].name=default-registry-key", "--set", "manager.replicas=2"),
    *("--set", "agent.settings.healthHost=::"),
]


@cache
def helm():
    """The platform's major."""
    done = subprocess.run(
        [ROOT / "scripts" / "setup-helm", "3"], capture_output=True, text=True, check=True, timeout=120
    )
    return f"{done.stdout.strip()}/helm"


def rendered(version, values=()):
    """The objects for a cluster of this version, hooks included."""
    policies = ["--api-versions", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"]
    done = subprocess.run(
        [
            *(helm(), "template", APPLICATION, ROOT / "charts" / APPLICATION, "--namespace", APPLICATION),
            *("--kube-version", version),
            *(policies if Version(version) >= HAVE_ADMISSION_POLICIES else []),
            *values,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def test_there_are_schemas_of_the_oldest_and_of_newer_versions():
    assert VERSIONS[0].startswith(f"{OLDEST}.")
    assert len(VERSIONS) >= 6


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [[], FULL], ids=["defaults", "full"])
def test_every_object_fits_the_schema(version, values):
    objects = rendered(version, values)
    assert {"DaemonSet", "Deployment", "Job", "CustomResourceDefinition"} <= {item["kind"] for item in objects}
    for item in objects:
        validated = schemas.validate(item, version, strict=True)
        # An unknown version would silently be judged by an older one's schemas.
        assert version.startswith(validated)


def test_a_field_that_does_not_exist_is_refused():
    item = next(item for item in rendered(VERSIONS[-1]) if item["kind"] == "DaemonSet")
    item["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(schemas.ValidationError, match="readOnlyRootFileSystem"):
        schemas.validate(item, VERSIONS[-1], strict=True)
