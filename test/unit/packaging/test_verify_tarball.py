"""verify-tarball on tarballs that were broken on purpose: one test for each way, and each is named."""

import subprocess
import zipfile

import pytest

from conftest import APPLICATION, MANIFESTS, ROOT, chart, image_archive, tar_of

RELEASE = f"{MANIFESTS}/{APPLICATION}/helmrelease.yaml"
RELEASE_KUSTOMIZATION = f"{MANIFESTS}/{APPLICATION}/kustomization.yaml"
STATIC = f"{MANIFESTS}/{APPLICATION}/{APPLICATION}-static-overrides.yaml"
SYSTEM = f"{MANIFESTS}/{APPLICATION}/{APPLICATION}-system-overrides.yaml"
ROOT_KUSTOMIZATION = f"{MANIFESTS}/kustomization.yaml"
REPOSITORY = f"{MANIFESTS}/base/helmrepository.yaml"


def test_the_unbroken_tarball_passes(verify):
    assert verify() == []


def expect(found, *beginnings):
    """Every finding begins with one of these words, and each of them is found: nothing else is said."""
    assert found, "nothing was found"
    for beginning in beginnings:
        assert any(line.startswith(beginning) for line in found), found
    assert all(line.startswith(beginnings) for line in found), found


# The archive.


def test_another_file_name(stage, verify):
    stage.name = f"{APPLICATION}.tgz"
    expect(verify(), "file-name: ipsec-policy-operator.tgz must be called ipsec-policy-operator-1.0-1.tgz")


def test_members_without_dot_slash(stage, verify):
    stage.prefix = ""
    found = verify()
    assert len(found) == 1
    assert found[0].endswith("(charts ...) must begin with ./: automatic upload and update would not see them")


def test_a_member_that_sysinv_cannot_read(stage, verify):
    def close(member):
        if member.name == "./metadata.yaml":
            member.mode = 0o040
        return member

    stage.member = close
    expect(verify(), "member-kinds: member ./metadata.yaml has mode 40")


def test_a_link(stage, verify):
    stage.path("charts/link.yaml").symlink_to("../metadata.yaml")
    found = verify(sum_up=True)
    assert any(line.startswith("member-kinds: member ./charts/link.yaml is neither") for line in found)


def test_times_owners_and_order_that_change_from_build_to_build(stage, verify):
    def touch(member):
        if member.name == "./metadata.yaml":
            member.mtime, member.uid = 1, 1000
        return member

    stage.member = touch
    expect(verify(), "reproducible: members have different times", "reproducible: members have an owner")


def test_a_top_level_images_folder(stage, verify):
    stage.path("images").mkdir()
    stage.path("images/x.txt").write_text("x")
    expect(verify(), "contents: a top-level images/")


def test_a_missing_folder(stage, verify):
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").unlink()
    stage.path("charts").rmdir()
    expect(verify(), "contents: folder charts/ is missing", "packed-charts: charts/ holds no .tgz", "chart-versions: ")


def test_a_tgz_that_is_no_chart(stage, verify):
    stage.path("sbom/extra.tgz").write_bytes(tar_of({"a": "b"}, gz=True))
    expect(verify(), "stray-charts: sbom/extra.tgz would be unpacked")


def test_no_checksums(verify):
    expect(verify(sum_up=False), "checksums: there must be one checksum.md5 at the top, found none")


def test_a_second_list_of_checksums(stage, verify):
    stage.path("a.md5").write_text("")
    expect(verify(), "checksums: there must be one checksum.md5 at the top, found a.md5, checksum.md5")


def test_a_file_that_is_not_listed(stage, verify):
    stage.sum_up()
    stage.path("notes.txt").write_text("x")
    expect(verify(sum_up=False), "checksums: notes.txt is not listed")


def test_a_file_that_is_listed_and_not_there(stage, verify):
    stage.path("notes.txt").write_text("x")
    stage.sum_up()
    stage.path("notes.txt").unlink()
    expect(verify(sum_up=False), "checksums: notes.txt is listed and not there")


def test_a_wrong_checksum(stage, verify):
    stage.sum_up()
    stage.path(SYSTEM).write_text("# changed\n")
    expect(verify(sum_up=False), f"checksums: {SYSTEM} has another sum")


def test_no_sbom(stage, verify):
    stage.path("sbom/sbom.cdx.json").unlink()
    expect(verify(), "sbom: no SBOM")


def test_an_empty_sbom(stage, verify):
    stage.path("sbom/sbom.cdx.json").write_text('{"bomFormat": "CycloneDX", "components": []}')
    expect(verify(), "sbom: sbom/sbom.cdx.json is no CycloneDX list")


# metadata.yaml


@pytest.mark.parametrize(
    ("old", "new", "beginning"),
    [
        ("'1.0-1'", "1.2.3", "application-version: app_version '1.2.3' must have the form X.Y-Z"),
        ("'1.0-1'", "1.0", "application-version: app_version 1.0 must have"),
        ("minimum: '1.29'", "minimum: 1.29", "kubernetes-version: supported_k8s_version.minimum 1.29 must be a text"),
        ("minimum: '1.29'", "minimum: '1'", "kubernetes-version: supported_k8s_version.minimum '1'"),
        ("minimum: '1.29'", "maximum: '1.29'", "kubernetes-version: supported_k8s_version.minimum None"),
        (
            "minimum: '1.29'",
            "minimum: '1.29'\n  maximum: 1.35",
            "kubernetes-version: supported_k8s_version.maximum 1.35",
        ),
        ("managed_app: yes", "managed_app: perhaps", "flags: behavior.platform_managed_app must be yes or no"),
        ("managed_app: yes", "managed_app: no", "behavior: behavior.desired_state acts only with"),
        ("desired_state: uploaded", "desired_state: ready", "behavior: behavior.desired_state 'ready' is neither"),
        (
            "desired_state: uploaded",
            "forbidden_manual_operations: [update]",
            "behavior: behavior.forbidden_manual_operations knows remove and delete, not 'update'",
        ),
        ("type: host-add", "type: host-update", "triggers: trigger 'host-update' does not exist"),
        ("type: host-add", "type: host-delete", "triggers: trigger 'host-delete' is listed twice"),
        (
            "          - availability: services-enabled",
            "          availability: services-enabled",
            "triggers: filters of trigger 'host-availability-updated' must be a list",
        ),
        ("  auto_update: true\n\nk8s", "  from_versions: []\n\nk8s", "upgrades: upgrades.from_versions must be a list"),
        ("  auto_update: true\n\nk8s", "  from_versions: ['(']\n\nk8s", "upgrades: upgrades.from_versions holds '('"),
        ("  timing: post", "", "kubernetes-upgrades: k8s_upgrades needs auto_update and timing together"),
        ("timing: post", "timing: during", "kubernetes-upgrades: k8s_upgrades.timing must be pre or post"),
        ("helm_repo: stx-platform", "helm_repo: starlingx", "helm-repository: charts would be put into starlingx"),
        ("helm_repo: stx-platform", "helm_repo: mine", "helm-repository: helm_repo 'mine' is neither"),
        ("helm_repo:", "repo:", "known-keys: key repo is not known"),
        ("maintain_attributes: true", "maintain_attribute: true", "known-keys: key maintain_attribute is not known"),
        ("app_name: ipsec-policy-operator", "app_name: ''", "application-name: app_name is missing"),
        ("app_name: ipsec-policy-operator", "app_name: my-openstack", "application-name: app_name my-openstack must"),
    ],
)
def test_metadata(stage, verify, old, new, beginning):
    stage.replace("metadata.yaml", old, new)
    assert any(line.startswith(beginning) for line in verify())


def test_metadata_that_is_no_yaml(stage, verify):
    stage.path("metadata.yaml").write_text("app_name: [")
    found = verify()
    assert any(line.startswith("readable: metadata.yaml is not YAML") for line in found)


def test_no_metadata(stage, verify):
    stage.path("metadata.yaml").unlink()
    assert "readable: metadata.yaml is missing or unreadable" in verify()


# Charts.


def test_a_chart_of_another_version_than_the_release_wants(stage, verify):
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").unlink()
    stage.path(f"charts/{APPLICATION}-1.0.2.tgz").write_bytes(chart("1.0.2"))
    expect(verify(), f"chart-versions: HelmRelease in {APPLICATION}/ wants {APPLICATION} '1.0.1', packed is '1.0.2'")


def test_a_chart_under_another_file_name(stage, verify):
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").rename(stage.path("charts/chart.tgz"))
    expect(verify(), f"packed-charts: charts/chart.tgz must be called {APPLICATION}-1.0.1.tgz")


def test_a_chart_that_is_none(stage, verify):
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").write_bytes(b"x")
    found = verify()
    assert f"readable: charts/{APPLICATION}-1.0.1.tgz is no packed chart" in found


@pytest.mark.parametrize("hook", ["pre-install", "pre-upgrade", "post-install,pre-upgrade"])
def test_a_hook_that_has_the_application_removed(stage, verify, hook):
    job = f'kind: Job\nmetadata:\n  annotations:\n    "helm.sh/hook": {hook}\n'
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").write_bytes(chart(**{"templates/job.yaml": job}))
    expect(verify(), f"chart-hooks: {APPLICATION}/templates/job.yaml is a pre-install or pre-upgrade hook")


def test_a_pre_delete_hook_is_fine(stage, verify):
    job = 'kind: Job\nmetadata:\n  annotations:\n    "helm.sh/hook": pre-delete\n'
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").write_bytes(chart(**{"templates/job.yaml": job}))
    assert verify() == []


def test_crds_that_helm_would_leave_behind(stage, verify):
    stage.path(f"charts/{APPLICATION}-1.0.1.tgz").write_bytes(chart(**{"crds/policy.yaml": "kind: X\n"}))
    expect(verify(), f"chart-crds: {APPLICATION}-1.0.1.tgz has a folder crds/")


# Manifests.


def test_base_is_not_among_the_resources(stage, verify):
    stage.edit(ROOT_KUSTOMIZATION, lambda value: value["resources"].remove("base"))
    expect(verify(), "manifest-folders: base/ is missing")


def test_a_resource_without_a_release(stage, verify):
    stage.edit(ROOT_KUSTOMIZATION, lambda value: value["resources"].append("more"))
    found = verify()
    assert "manifest-folders: more/helmrelease.yaml is missing" in found
    assert "manifest-folders: more/kustomization.yaml is missing" in found


def test_two_documents_in_a_release(stage, verify):
    stage.path(RELEASE).write_text(f"{stage.path(RELEASE).read_text()}---\na: b\n")
    assert any(line == f"readable: {RELEASE} must hold one document, a mapping" for line in verify())


def test_a_document_mark_inside_a_value(stage, verify):
    pem = "-----BEGIN CERTIFICATE-----"
    stage.edit(RELEASE, lambda value: value["metadata"].update(annotations={"ca": pem}))
    expect(verify(), f"document-marks: a value in {RELEASE} holds '---'")


def test_a_namespace(stage, verify):
    stage.path(f"{MANIFESTS}/base/namespace.yaml").write_text(f"kind: Namespace\nmetadata:\n  name: {APPLICATION}\n")
    expect(verify(), f"no-namespace: {MANIFESTS}/base/namespace.yaml holds a Namespace")


def test_no_namespace_set(stage, verify):
    stage.edit(ROOT_KUSTOMIZATION, lambda value: value.pop("namespace"))
    expect(verify(), "namespace: the root kustomization sets no namespace", "plugin-namespace: ")


def test_another_namespace_than_the_plugins(stage, verify):
    stage.edit(ROOT_KUSTOMIZATION, lambda value: value.update(namespace="kube-system"))
    expect(
        verify(),
        "plugin-namespace: plugin 001_ipsec-policy-operator does not serve namespace kube-system",
        "plugin-namespace: plugin 001_ipsec-policy-operator gives overrides for",
    )


@pytest.mark.parametrize(
    ("name", "change", "beginning"),
    [
        (RELEASE, {"apiVersion": "helm.toolkit.fluxcd.io/v2beta1"}, "release: ipsec-policy-operator/helmrelease.yaml"),
        (REPOSITORY, {"apiVersion": "source.toolkit.fluxcd.io/v1beta2"}, "repository: base/helmrepository.yaml must"),
        (REPOSITORY, {"metadata": {"name": "x"}}, "repository: HelmRelease in ipsec-policy-operator/ takes its chart"),
        (REPOSITORY, {"spec": {"url": "http://h/charts"}}, "helm-repository: charts would be put into stx-platform"),
    ],
)
def test_kinds_and_repositories(stage, verify, name, change, beginning):
    stage.edit(name, lambda value: value.update(change))
    expect(verify(), beginning)


@pytest.mark.parametrize(
    ("change", "beginning"),
    [
        ({"releaseName": "other"}, "release: ipsec-policy-operator: metadata.name and spec.releaseName"),
        ({"suspend": True}, "release: ipsec-policy-operator: the HelmRelease is suspended"),
        (
            {"upgrade": {"remediation": {"strategy": "uninstall"}}},
            "release-removal: ipsec-policy-operator: remediation by uninstall",
        ),
        ({"uninstall": {}}, "release-removal: ipsec-policy-operator: uninstall.timeout None must be"),
        ({"uninstall": {"timeout": "5m"}}, "release-removal: ipsec-policy-operator: uninstall.timeout 5m must be"),
        ({"uninstall": {"timeout": "90s"}}, "release-removal: ipsec-policy-operator: uninstall.timeout 90s must be"),
    ],
)
def test_a_release(stage, verify, change, beginning):
    stage.edit(RELEASE, lambda value: value["spec"].update(change))
    expect(verify(), beginning)


def test_a_release_of_another_name(stage, verify):
    def rename(value):
        value["metadata"]["name"] = value["spec"]["releaseName"] = "ipsec"

    stage.edit(RELEASE, rename)
    expect(
        verify(),
        "release-name: ipsec-policy-operator: the HelmRelease is not called ipsec-policy-operator",
        "entry-points: no plugin for the HelmRelease in ipsec-policy-operator/",
    )


def test_no_static_overrides(stage, verify):
    stage.edit(RELEASE, lambda value: value["spec"]["valuesFrom"].pop(0))
    expect(
        verify(), f"overrides: {APPLICATION}: valuesFrom must have exactly one valuesKey *static-overrides.yaml, has 0"
    )


def test_static_overrides_twice(stage, verify):
    stage.edit(RELEASE, lambda value: value["spec"]["valuesFrom"].insert(0, value["spec"]["valuesFrom"][0]))
    expect(
        verify(), f"overrides: {APPLICATION}: valuesFrom must have exactly one valuesKey *static-overrides.yaml, has 2"
    )


def test_a_missing_overrides_file(stage, verify):
    stage.path(SYSTEM).unlink()
    expect(verify(), f"overrides: {APPLICATION}/{APPLICATION}-system-overrides.yaml is missing")


def test_two_files_of_system_overrides(stage, verify):
    stage.path(f"{MANIFESTS}/{APPLICATION}/a-system-overrides.yaml").write_text("")
    expect(verify(), f"overrides: {APPLICATION}: more than one *-system-overrides.yaml")


def test_system_overrides_before_static_ones(stage, verify):
    stage.edit(RELEASE, lambda value: value["spec"]["valuesFrom"].reverse())
    expect(verify(), f"overrides: {APPLICATION}: static overrides must come before system overrides")


def test_secrets_with_a_hash_in_their_names(stage, verify):
    stage.edit(RELEASE_KUSTOMIZATION, lambda value: value.pop("generatorOptions"))
    expect(verify(), f"secrets: {APPLICATION}: without disableNameSuffixHash")


def test_a_secret_that_nobody_makes(stage, verify):
    stage.edit(RELEASE, lambda value: value["spec"]["valuesFrom"][1].update(name="other"))
    expect(
        verify(),
        f"secrets: {APPLICATION}: no secretGenerator makes {APPLICATION}-system-overrides.yaml in Secret other",
    )


# Images.


@pytest.mark.parametrize(
    ("values", "beginning"),
    [
        ("manager: {}\n", "override-images: ipsec-policy-operator: the static overrides name no image"),
        (
            "manager: {image: {repository: a.io/b, tag: 1.0}}\n",
            "override-images: ipsec-policy-operator: manager.image.tag",
        ),
        (
            "manager: {agentImage: {repository: a.io/b, tag: x}}\n",
            "override-images: ipsec-policy-operator: manager.agentImage is not seen",
        ),
        (
            "manager: [{image: {repository: a.io/b, tag: x}}]\n",
            "override-images: ipsec-policy-operator: manager[0] holds an image inside a list",
        ),
        (
            "manager: {image: {repository: a.io/b, tag: x, digest: sha256:1}}\n",
            "override-images: ipsec-policy-operator: manager.image.digest is ignored",
        ),
    ],
)
def test_images_that_the_framework_does_not_see(stage, verify, values, beginning):
    stage.path(STATIC).write_text(values)
    assert any(line.startswith(beginning) for line in verify())


def test_an_archive_of_another_tag(stage, verify):
    stage.path(f"image/{APPLICATION}.tar").write_bytes(image_archive(f"starlingx/{APPLICATION}:1.0-2"))
    expect(
        verify(),
        f"image-archive: image docker.io/starlingx/{APPLICATION}:1.0-1 is wanted",
        f"image-archive: image docker.io/starlingx/{APPLICATION}:1.0-2 has not the application's version",
    )


def test_no_image_archive(stage, verify):
    stage.path(f"image/{APPLICATION}.tar").unlink()
    expect(verify(), "image-archive: image/ must hold one docker-archive *.tar, holds 0")


def test_an_image_archive_that_is_none(stage, verify):
    stage.path(f"image/{APPLICATION}.tar").write_bytes(tar_of({"index.json": "{}"}))
    expect(verify(), f"readable: image/{APPLICATION}.tar is no docker-archive")


# The wheel.


def rewrite(stage, change):
    """Pack the wheel anew with each entry passed through a function of (name, content) to the same or None."""
    path = next(stage.path("plugins").glob("*.whl"))
    with zipfile.ZipFile(path) as old:
        entries = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries:
            changed = change(name, content)
            if changed is not None:
                new.writestr(*changed)


def replacing(ending, old, new):
    def change(name, content):
        if name.endswith(ending):
            assert old.encode() in content
            content = content.replace(old.encode(), new.encode())
        return name, content

    return change


def test_no_wheel(stage, verify):
    next(stage.path("plugins").glob("*.whl")).unlink()
    expect(verify(), "wheel-file: plugins/ must hold one wheel, holds none", "readable: plugins/ holds no wheel")


def test_a_wheel_that_is_no_zip(stage, verify):
    next(stage.path("plugins").glob("*.whl")).write_bytes(b"x")
    expect(verify(), "readable: plugins/ holds no wheel that can be unzipped")


def test_a_wheel_for_one_machine(stage, verify):
    path = next(stage.path("plugins").glob("*.whl"))
    path.rename(path.with_name(path.name.replace("none-any", "cp39-linux_x86_64")))
    expect(verify(), "wheel-file: k8sapp_ipsec_policy_operator-1.0.post1-py3-cp39-linux_x86_64.whl is not pure Python")


def test_a_distribution_of_another_name(stage, verify):
    rewrite(stage, replacing("METADATA", "Name: k8sapp-ipsec-policy-operator", "Name: ipsec-plugin"))
    expect(
        verify(), "distribution-name: distribution ipsec-plugin has the top-level modules k8sapp_ipsec_policy_operator"
    )


def test_a_wheel_of_another_version(stage, verify):
    rewrite(stage, replacing("METADATA", "Version: 1.0.post1", "Version: 1.0.post2"))
    expect(verify(), "wheel-version: the wheel's version 1.0.post2 is not that of the application, 1.0-1")


def test_a_dependency(stage, verify):
    rewrite(stage, replacing("METADATA", "Requires-Python", "Requires-Dist: requests\nRequires-Python"))
    expect(verify(), "dependencies: the wheel needs requests")


def test_python_that_the_platform_does_not_have_yet(stage, verify):
    rewrite(stage, replacing("constants.py", "POD_SECURITY_LABELS", "match 1:\n    case _: pass\nPOD_SECURITY_LABELS"))
    expect(verify(), "oldest-python: k8sapp_ipsec_policy_operator/constants.py is not Python 3.9")


def test_an_entry_point_that_cannot_be_loaded(stage, verify):
    rewrite(stage, replacing("entry_points.txt", "lifecycle:IPsec", "lifecycle:Wrong"))
    expect(
        verify(), "entry-points: entry point ipsec-policy-operator of systemconfig.app_lifecycle fails: AttributeError"
    )


def test_a_module_that_cannot_be_imported(stage, verify):
    rewrite(stage, replacing("overrides.py", "from sysinv.helm import base", "from sysinv.helm import basis as base"))
    expect(
        verify(),
        "entry-points: entry point 001_ipsec-policy-operator of systemconfig.helm_plugins.ipsec_policy_operator fails",
    )


def test_no_lifecycle_operator(stage, verify):
    rewrite(stage, replacing("entry_points.txt", "systemconfig.app_lifecycle", "systemconfig.app_lifecycles"))
    expect(verify(), "entry-points: no entry point systemconfig.app_lifecycle for ipsec-policy-operator")


def test_no_application(stage, verify):
    rewrite(stage, replacing("entry_points.txt", "systemconfig.helm_applications", "systemconfig.applications"))
    found = verify()
    assert "entry-points: no entry point systemconfig.helm_applications for ipsec-policy-operator" in found


def test_a_plugin_of_another_name_than_the_release(stage, verify):
    rewrite(stage, replacing("entry_points.txt", "001_ipsec-policy-operator", "001_ipsec"))
    expect(verify(), "entry-points: no plugin for the HelmRelease in ipsec-policy-operator/")


def test_overrides_that_change_by_themselves(stage, verify):
    old, new = '"replicas": min(', '"now": __import__("time").time_ns(), "replicas": min('
    rewrite(stage, replacing("overrides.py", old, new))
    expect(verify(), "plugin-namespace: plugin 001_ipsec-policy-operator gives other overrides the second time")


# The command.


def test_the_command_prints_a_line_for_each_finding_and_says_so_in_its_exit_code(stage, tmp_path):
    stage.sum_up()
    command = [ROOT / "scripts" / "verify-tarball", stage.pack(tmp_path)]
    good = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (good.returncode, good.stdout) == (0, "")
    assert "rules, 0 findings" in good.stderr
    stage.path("notes.txt").write_text("x")
    stage.pack(tmp_path)
    bad = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (bad.returncode, bad.stdout) == (1, "checksums: notes.txt is not listed: it would not be checked\n")


def test_the_command_on_what_is_no_tarball(tmp_path):
    (tmp_path / "x.tgz").write_bytes(b"not a tarball")
    command = [ROOT / "scripts" / "verify-tarball", tmp_path / "x.tgz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "x.tgz" in done.stderr
    assert "Traceback" not in done.stderr
