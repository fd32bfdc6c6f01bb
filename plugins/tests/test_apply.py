"""upload and apply, driven whole in sysinv's order."""

import pytest
from conftest import archive_bytes
from platform_standin import host
from sysinv.common import exception

LABEL = "ipsec-policy-agent-operator"
NAMESPACE = "ipsec-policy-operator"
IMAGE = "registry.local:9001/docker.io/starlingx/ipsec-policy-operator:1.0-1"
ENABLED_HOSTS = {"controller-0": "enabled", "controller-1": "enabled", "worker-0": "enabled"}


def test_upload_brings_the_image_into_the_registry_and_leaves_nothing_in_the_engine(site):
    assert site.status == "uploaded"
    assert site.engine.registry == {IMAGE: "1.0-1.json"}
    assert site.engine.images == {}


def test_apply_reaches_applied_without_a_public_registry(site):
    site.apply()
    assert (site.status, site.progress) == ("applied", "completed")


def test_apply_labels_every_host_but_storage_in_database_and_kubernetes(site):
    site.apply()
    assert site.database.labelled() == ENABLED_HOSTS
    assert site.kube.nodes == {name: {LABEL: "enabled"} for name in ENABLED_HOSTS}


def test_apply_makes_the_namespace_with_two_pod_security_labels_and_the_pull_secret(site):
    site.apply()
    namespace = site.kube.namespaces[NAMESPACE]
    assert namespace.labels == {
        "pod-security.kubernetes.io/enforce": "privileged",
        "pod-security.kubernetes.io/enforce-version": "latest",
    }
    assert list(namespace.secrets) == ["default-registry-key"]


def test_apply_twice_is_once(site):
    site.apply()
    labels, writes = dict(site.database.labels), site.database.writes
    site.apply()
    assert site.status == "applied"
    assert (site.database.labels, site.database.writes) == (labels, writes)


def test_hooks_run_in_the_order_of_the_framework(site):
    site.apply()
    assert site.hooks == [
        ("operation", "post", "upload"),
        ("check", "pre", "apply"),
        ("operation", "pre", "apply"),
        ("resource", "pre", "apply"),
        ("manifest", "pre", "apply"),
        ("fluxcd-request", "pre", "apply"),
        ("fluxcd-request", "status", "apply"),
        ("fluxcd-request", "post", "apply"),
        ("manifest", "post", "apply"),
        ("operation", "post", "apply"),
    ]


def test_apply_is_refused_on_simplex_and_changes_nothing(site):
    site.database.system.system_mode = "simplex"
    writes = (site.database.writes, site.kube.writes)
    with pytest.raises(exception.LifecycleSemanticCheckException, match=r"one host only.*Migrate the system to Duplex"):
        site.apply()
    assert site.status == "uploaded"
    assert (site.database.writes, site.kube.writes) == writes


@pytest.mark.parametrize("state", ["disabled", "enabling", "upgrading"])
def test_apply_is_refused_where_an_unlocked_host_says_that_ipsec_is_not_enabled(site, state):
    site.database.hosts[2].capabilities["mgmt_ipsec"] = state
    with pytest.raises(exception.LifecycleSemanticCheckException, match=rf"worker-0 \({state}\).*or lock"):
        site.apply()
    assert site.status == "uploaded"


def test_a_locked_host_and_a_storage_host_do_not_hold_apply_back(site):
    site.database.hosts[2].capabilities["mgmt_ipsec"] = "disabled"
    site.database.hosts[2].administrative = "locked"
    site.database.hosts[3].capabilities["mgmt_ipsec"] = "disabled"
    site.apply()
    assert site.status == "applied"


@pytest.mark.parametrize("capabilities", [{}, None])
def test_a_host_that_does_not_say_is_named_in_a_warning(site, caplog, capabilities):
    site.database.hosts[1].capabilities = capabilities
    site.apply()
    assert site.status == "applied"
    assert any(r.levelname == "WARNING" and "enabled: controller-1." in r.getMessage() for r in caplog.records)


def test_a_host_without_name_or_role_yet_is_passed_over(site):
    site.database.hosts.append(host(9, None, None, administrative="locked", availability="online", capabilities={}))
    site.apply()
    assert site.status == "applied"
    assert site.database.labelled() == ENABLED_HOSTS


def test_a_label_of_another_value_is_the_operators_and_stays(site, caplog):
    row = {"host_id": 3, "label_key": LABEL, "label_value": "disabled"}
    site.database.label_create("uuid-3", row)
    site.apply()
    assert site.status == "applied"
    assert site.database.labelled()["worker-0"] == "disabled"
    assert site.kube.nodes["worker-0"] == {}
    assert "worker-0 is labelled 'disabled' by hand" in caplog.text


def test_one_host_that_cannot_be_labelled_does_not_keep_the_others_from_it(site):
    site.database.broken_hosts = {2}
    site.apply()
    assert site.status == "apply-failed"
    assert "controller-1" in site.progress
    assert site.database.labelled() == {"controller-0": "enabled", "worker-0": "enabled"}
    site.database.broken_hosts = set()
    site.apply()
    assert site.status == "applied"


def test_a_node_that_kubernetes_does_not_know_yet_is_no_error(site):
    del site.kube.nodes["worker-0"]
    site.apply()
    assert site.status == "applied"
    assert site.database.labelled() == ENABLED_HOSTS


def test_apply_waits_for_a_namespace_that_an_earlier_removal_left_terminating(site, clock):
    site.kube.kube_create_namespace(NAMESPACE)
    site.kube.terminating_polls = 8
    site.kube.kube_delete_namespace(NAMESPACE)
    site.apply()
    assert site.status == "applied"
    assert site.kube.namespaces[NAMESPACE].phase == "Active"
    assert 0 < clock.now < 30


def test_apply_says_so_when_the_namespace_never_goes(site, clock):
    site.kube.kube_create_namespace(NAMESPACE)
    site.kube.terminating_polls = 10_000
    site.kube.kube_delete_namespace(NAMESPACE)
    site.apply()
    assert site.status == "apply-failed"
    assert "still being deleted" in site.progress
    assert clock.now < 90


def test_apply_after_a_swact_finds_the_image_in_the_registry(site, make_app):
    site.app = make_app(unpacked=False, version="1.0-1")
    site.app.inst_path = "/gone"
    site.apply()
    assert site.status == "applied"


def test_apply_that_overtakes_the_upload_hook_loads_the_image_itself(site):
    site.engine.registry.clear()
    site.apply()
    assert site.status == "applied"
    assert site.engine.registry == {IMAGE: "1.0-1.json"}


def test_an_error_of_the_upload_hook_is_logged_and_apply_repairs_it(site, make_app, caplog):
    site.engine.registry.clear()
    site.engine.push_error = "dial tcp 192.168.204.1:9001: connect: connection refused"
    site.upload(site.app)
    assert site.status == "uploaded"
    assert "could not load the image: The Docker engine could not push the image: dial tcp" in caplog.text
    assert site.engine.registry == {}
    site.engine.push_error = None
    site.apply()
    assert site.status == "applied"


def test_apply_fails_with_the_engines_own_words_when_the_registry_is_down(site):
    site.engine.registry.clear()
    site.engine.push_error = "connection refused"
    site.apply()
    assert site.status == "apply-failed"
    assert "could not push the image: connection refused" in site.progress
    assert NAMESPACE not in site.kube.namespaces


def test_a_failed_apply_can_be_applied_again(site):
    site.flux_fails = True
    site.apply()
    assert site.status == "apply-failed"
    site.flux_fails = False
    site.apply()
    assert site.status == "applied"


def test_an_archive_of_another_image_is_refused(site, make_app):
    with open(f"{site.app.inst_path}/image/ipsec-policy-operator.tar", "wb") as archive:
        archive.write(archive_bytes(tag="starlingx/ipsec-policy-operator:0.9-1"))
    site.engine.registry.clear()
    site.apply()
    assert site.status == "apply-failed"
    assert "holds starlingx/ipsec-policy-operator:0.9-1, not docker.io/starlingx/ipsec-policy-operator:1.0-1" in (
        site.progress
    )
