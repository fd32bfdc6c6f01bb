"""What happens to an applied application: hosts come and go, versions change, systems are restored and grow."""

import shutil
import tarfile

import pytest
from platform_standin import host
from sysinv.common import exception
from sysinv.helm.lifecycle_hook import LifecycleHookInfo

from k8sapp_ipsec_policy_operator.lifecycle import IPsecPolicyOperatorLifecycle

LABEL = "ipsec-policy-agent-operator"
OLD, NEW = (f"registry.local:9001/docker.io/starlingx/ipsec-policy-operator:{v}" for v in ("1.0-1", "1.1-1"))


@pytest.fixture
def applied(site):
    site.apply()
    return site


def test_a_host_added_later_is_labelled_though_nothing_is_applied_again(applied):
    applied.database.hosts.append(host(5, "worker-1", "worker"))
    applied.kube.nodes["worker-1"] = {}
    before = len(applied.hooks)
    applied.evaluate_reapply("host-add")
    assert applied.database.labelled()["worker-1"] == "enabled"
    assert applied.kube.nodes["worker-1"] == {LABEL: "enabled"}
    assert applied.hooks[before:] == [("check", None, "evaluate-reapply")]


def test_a_removed_host_is_forgotten(applied):
    applied.database.delete_host("worker-0")
    del applied.kube.nodes["worker-0"]
    applied.evaluate_reapply("host-delete")
    assert applied.database.labelled() == {"controller-0": "enabled", "controller-1": "enabled"}
    applied.remove()
    assert applied.status == "uploaded"


def test_an_error_while_labelling_does_not_stop_the_evaluation(applied, caplog):
    applied.database.broken_hosts = {2}
    applied.database.hosts[1].availability = "offline"
    applied.evaluate_reapply("host-availability-updated")
    assert "could not label new hosts" in caplog.text
    # One controller less: applied again, and that fails on the same host with a reason.
    assert applied.status == "apply-failed"


def test_the_overrides_follow_the_controllers_in_service_and_are_stable(applied):
    values = applied.chart.get_overrides("ipsec-policy-operator")
    assert values == {"imagePullSecrets": [{"name": "default-registry-key"}], "manager": {"replicas": 2}}
    assert repr(applied.chart.get_overrides()) == repr(applied.chart.get_overrides())
    applied.database.hosts[1].administrative = "locked"
    assert applied.chart.get_overrides()["ipsec-policy-operator"]["manager"]["replicas"] == 1
    with pytest.raises(exception.InvalidHelmNamespace, match="kube-system"):
        applied.chart.get_overrides("kube-system")


def test_no_more_than_two_managers(applied):
    applied.database.hosts.append(host(6, "controller-2"))
    assert applied.chart.get_overrides()["ipsec-policy-operator"]["manager"]["replicas"] == 2


def test_simplex_to_duplex(site):
    """Refused on one host; after the migration the second controller comes, and the same upload applies."""
    site.database.system.system_mode = "simplex"
    site.database.hosts = site.database.hosts[:1]
    with pytest.raises(exception.LifecycleSemanticCheckException):
        site.apply()
    site.database.system.system_mode = "duplex"
    site.apply()
    assert (site.status, site.overrides["ipsec-policy-operator"]["manager"]["replicas"]) == ("applied", 1)
    site.database.hosts.append(host(2, "controller-1"))
    site.evaluate_reapply("unlock")
    assert site.overrides["ipsec-policy-operator"]["manager"]["replicas"] == 2
    assert site.database.labelled() == {"controller-0": "enabled", "controller-1": "enabled"}


def test_update_brings_the_new_image_though_no_upload_hook_runs(applied, make_app):
    applied.update(IPsecPolicyOperatorLifecycle(), make_app("1.1-1"))
    assert (applied.status, applied.app.version) == ("applied", "1.1-1")
    assert set(applied.engine.registry) == {OLD, NEW}
    assert applied.kube.release["spec"]["suspend"] is False


def test_a_failed_update_goes_back_to_the_old_version(applied, make_app):
    app = make_app("1.1-1", tag="starlingx/something-else:1")
    applied.update(IPsecPolicyOperatorLifecycle(), app)
    assert (applied.status, applied.app.version) == ("applied", "1.0-1")
    assert "something-else" in applied.progress
    applied.remove()
    assert not applied.kube.stranded


def test_update_after_a_swact_takes_the_image_out_of_the_platforms_bundle(applied, make_app, tmp_path):
    app = make_app("1.1-1")
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    with tarfile.open(bundles / "ipsec-policy-operator-1.1-1.tgz", "w:gz") as bundle:
        bundle.add(app.inst_path, arcname=".")
    shutil.rmtree(app.inst_path)
    applied.update(IPsecPolicyOperatorLifecycle(), app)
    assert applied.status == "applied"
    assert applied.engine.registry[NEW] == "1.1-1.json"


def test_without_any_archive_the_public_registry_is_the_last_resort_and_the_log_says_so(applied, make_app, caplog):
    applied.public_registry = True
    app = make_app("1.1-1", unpacked=False)
    applied.update(IPsecPolicyOperatorLifecycle(), app)
    assert applied.status == "applied"
    assert "will be fetched from the public registry" in caplog.text


def test_backup_needs_nothing_and_restore_puts_the_image_back(applied, make_app, tmp_path):
    applied.backup()
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    with tarfile.open(bundles / "ipsec-policy-operator-1.0-1.tgz", "w:gz") as bundle:
        bundle.add(applied.app.inst_path, arcname=".")
    applied.app.inst_path = "/gone"
    applied.engine.registry.clear()
    applied.restore()
    assert applied.status == "applied"
    assert applied.engine.registry == {OLD: "1.0-1.json"}


def test_a_restore_that_cannot_load_the_image_does_not_fail_the_application(applied, caplog):
    applied.engine.registry.clear()
    applied.engine.load_error = "write /var/lib/docker: no space left on device"
    applied.restore()
    assert applied.status == "applied"
    assert "no space left on device" in caplog.text


def test_what_is_not_in_the_table_is_left_to_sysinv(applied):
    """sysinv's own operator sees every other hook, with the mode unset in some."""
    info = LifecycleHookInfo()
    info.lifecycle_type, info.relative_timing, info.operation = "fluxcd-request", "post", "apply"
    with pytest.raises(NotImplementedError):
        _ = info.mode
    applied.plugin.app_lifecycle_actions(None, None, applied.app_op, applied.app, info)
