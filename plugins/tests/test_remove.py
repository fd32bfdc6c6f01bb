"""remove and delete: what refuses, what is cleaned up, and in which order."""

import pytest
from platform_standin import ApiException
from sysinv.common import exception
from sysinv.helm.lifecycle_hook import LifecycleHookInfo

LABEL = "ipsec-policy-agent-operator"
NAMESPACE = "ipsec-policy-operator"


@pytest.fixture
def applied(site):
    site.apply()
    assert site.status == "applied"
    return site


def test_remove_leaves_nothing_of_ours(applied, clock):
    applied.remove()
    assert applied.status == "uploaded"
    assert applied.database.labels == {}
    assert all(labels == {} for labels in applied.kube.nodes.values())
    assert applied.kube.namespaces == {}
    assert not applied.kube.stranded
    assert clock.now < 60


def test_remove_takes_the_label_out_of_the_database_first(applied):
    """The conductor's audit adds to Kubernetes what it finds in the database."""
    seen = []
    patch = applied.kube.kube_patch_node

    def watch(name, body):
        if body["metadata"]["labels"].get(LABEL) is None:
            seen.append((name, name in applied.database.labelled()))
        patch(name, body)

    applied.kube.kube_patch_node = watch
    applied.remove()
    assert sorted(seen) == [("controller-0", False), ("controller-1", False), ("storage-0", False), ("worker-0", False)]


@pytest.mark.parametrize("availability", ["offline", "failed", "power-off", "intest"])
def test_remove_is_refused_while_a_labelled_host_is_unavailable_and_changes_nothing(applied, availability):
    applied.database.hosts[2].availability = availability
    writes = (applied.database.writes, applied.kube.writes)
    with pytest.raises(exception.LifecycleSemanticCheckException, match=r"^worker-0 cannot be reached.*--force"):
        applied.remove()
    assert applied.status == "applied"
    assert (applied.database.writes, applied.kube.writes) == writes
    assert applied.kube.release is not None


@pytest.mark.parametrize("availability", ["degraded", "online"])
def test_a_degraded_or_locked_host_can_withdraw(applied, availability):
    applied.database.hosts[2].availability = availability
    applied.remove()
    assert applied.status == "uploaded"


def test_an_unavailable_host_without_our_label_is_no_reason_to_refuse(applied):
    applied.database.hosts[3].availability = "offline"
    applied.remove()
    assert applied.status == "uploaded"


def test_remove_by_force_passes_over_and_says_how_to_clean(applied, caplog):
    applied.database.hosts[2].availability = "offline"
    applied.remove(force=True)
    assert applied.status == "uploaded"
    assert applied.database.labels == {}
    assert "worker-0 cannot be reached" in caplog.text
    for step in (
        "rm /etc/swanctl/conf.d/k8s-nodes.conf",
        "swanctl --load-conns",
        "nft delete table inet <name>",
        "ipsec_policy_guard_*",
    ):
        assert step in caplog.text


def test_the_check_decides_in_time_even_if_the_database_is_slow(applied, clock):
    """Hosts that could not be looked at in time count as labelled, and the answer is within 5 s."""
    for host in applied.database.hosts:
        host.availability = "offline"
    query = applied.database.label_query

    def slow(host_id, key):
        clock.now += 3
        return query(host_id, key)

    applied.database.label_query = slow
    begin = clock.now
    with pytest.raises(exception.LifecycleSemanticCheckException, match="storage-0"):
        applied.remove()
    assert clock.now - begin <= 6


def test_the_check_of_a_healthy_system_asks_for_no_label(applied):
    def refuse(host_id, key):
        raise AssertionError("label_query in the check")

    original, applied.database.label_query = applied.database.label_query, refuse
    applied.plugin.app_lifecycle_actions(None, None, applied.app_op, applied.app, _hook("check", "pre", "remove"))
    applied.database.label_query = original


def test_a_release_that_an_update_left_suspended_is_resumed_so_that_flux_uninstalls_it(applied):
    applied.kube.release["spec"]["suspend"] = True
    applied.remove()
    assert applied.status == "uploaded"
    assert not applied.kube.stranded


def test_an_error_while_resuming_is_logged_and_does_not_leave_the_state_removing(applied, caplog):
    def broken(*args):
        applied.kube.apply_custom_resource = original
        raise ApiException(503, "Service Unavailable")

    original, applied.kube.apply_custom_resource = applied.kube.apply_custom_resource, broken
    applied.kube.release["spec"]["suspend"] = True
    applied.remove()
    assert applied.status == "uploaded"
    assert "could not resume the HelmRelease: (503)" in caplog.text


def test_the_namespace_is_not_deleted_under_a_release_that_flux_still_has(applied, caplog):
    applied.flux_fails = True
    applied.remove()
    assert applied.status == "remove-failed"
    assert not applied.kube.stranded
    assert NAMESPACE in applied.kube.namespaces
    assert "Flux has not finished" in caplog.text
    applied.flux_fails = False
    applied.remove()
    assert applied.status == "uploaded"
    assert applied.kube.namespaces == {}


def test_a_namespace_that_is_slow_to_go_is_logged_and_removal_stays_within_its_time(applied, clock, caplog):
    applied.kube.terminating_polls = 10_000
    applied.remove()
    assert applied.status == "uploaded"
    assert clock.now < 30
    assert "still being deleted" in caplog.text
    assert applied.kube.namespaces[NAMESPACE].secrets == {}


def test_remove_twice_is_once(applied):
    applied.remove()
    applied.remove()
    assert applied.status == "uploaded"


def test_apply_after_remove(applied):
    applied.remove()
    applied.apply()
    assert applied.status == "applied"


def test_delete_after_remove_and_delete_of_what_was_never_applied(applied):
    applied.remove()
    applied.delete()
    assert applied.status is None


def test_delete_catches_what_is_left_over(site):
    """An apply that failed half-way, an operator who removed by hand: labels, secret and namespace are still there."""
    site.flux_fails = True
    site.apply()
    assert site.status == "apply-failed"
    assert site.database.labels
    site.delete()
    assert site.database.labels == {}
    assert site.kube.namespaces == {}
    assert all(labels == {} for labels in site.kube.nodes.values())


def test_a_label_that_kubernetes_alone_has_is_cleaned_up_too(applied):
    applied.database.labels.clear()
    applied.remove()
    assert all(labels == {} for labels in applied.kube.nodes.values())


def test_a_label_of_another_value_survives_removal(applied):
    row = next(row for row in applied.database.labels.values() if row.host_id == 3)
    row.label_value = "disabled"
    applied.remove()
    assert applied.database.labelled() == {"worker-0": "disabled"}


def test_delete_says_why_it_cannot_go_on_when_kubernetes_is_down(applied):
    applied.remove()
    applied.kube.down = True
    with pytest.raises(ApiException):
        applied.delete()
    assert applied.status == "uploaded"


def _hook(kind, timing, operation):
    info = LifecycleHookInfo()
    info.lifecycle_type, info.relative_timing, info.operation = kind, timing, operation
    return info
