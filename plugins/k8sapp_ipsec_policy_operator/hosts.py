"""Which hosts may carry the agent, and the label that says so, in sysinv's database and in Kubernetes.

Both are written: the conductor's audit only adds to Kubernetes what the database has, every three minutes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from oslo_log import log as logging
from sysinv.common import exception

from k8sapp_ipsec_policy_operator.constants import HOST_LABEL, HOST_LABEL_VALUE

if TYPE_CHECKING:
    from sysinv.conductor.kube_app import AppOperator
    from sysinv.db.api import Connection, Host

LOG = logging.getLogger(__name__)

# Availability of a host whose agent can still withdraw: a locked host that runs says `online`.
REACHABLE = ("available", "degraded", "online")
# The remove check runs inside an RPC of 60 s with the API's lock held.
CHECK_SECONDS = 4.0


def agent_hosts(dbapi: Connection) -> list[Host]:
    """Hosts that can run pods, by name: not storage, and past the stage where a host has neither name nor role."""
    hosts = [host for host in dbapi.ihost_get_list() if host.hostname and host.personality]
    return sorted((host for host in hosts if host.personality != "storage"), key=lambda host: str(host.hostname))


def label_hosts(app_op: AppOperator) -> None:
    """Label every host that lacks the label, in database and Kubernetes; one host's failure does not stop the rest."""
    failed = []
    for host in agent_hosts(app_op._dbapi):
        try:
            _label(app_op, host)
        except Exception as error:
            LOG.error("%s: host %s could not be labelled: %s", HOST_LABEL, host.hostname, error)
            failed.append(str(host.hostname))
    if failed:
        raise exception.SysinvException(f"Label {HOST_LABEL} could not be set on {', '.join(failed)}.")


def unlabel_hosts(app_op: AppOperator) -> None:
    """Take the label away again: database first, or the audit would put it back into Kubernetes."""
    failed = []
    for host in app_op._dbapi.ihost_get_list():
        try:
            _unlabel(app_op, host)
        except Exception as error:
            LOG.error("%s: label of host %s could not be removed: %s", HOST_LABEL, host.hostname, error)
            failed.append(str(host.hostname))
    if failed:
        raise exception.SysinvException(f"Label {HOST_LABEL} could not be removed from {', '.join(failed)}.")


def ipsec_states(dbapi: Connection) -> dict[str, str | None]:
    """What each unlocked agent host says about its platform IPsec (`mgmt_ipsec`); None for one that says nothing."""
    unlocked = (host for host in agent_hosts(dbapi) if host.administrative == "unlocked")
    return {str(host.hostname): (host.capabilities or {}).get("mgmt_ipsec") for host in unlocked}


def unreachable_labelled_hosts(dbapi: Connection) -> list[str]:
    """Names of hosts whose agent cannot be asked to withdraw now. Asks the database about such hosts only.

    When time runs out, the hosts not looked at yet count as labelled: refusing is the answer that changes nothing.
    """
    deadline = time.monotonic() + CHECK_SECONDS
    away = [host for host in dbapi.ihost_get_list() if host.hostname and host.availability not in REACHABLE]
    return sorted(
        str(host.hostname)
        for host in away
        if time.monotonic() > deadline or _label_value(dbapi, host) == HOST_LABEL_VALUE
    )


def _label_value(dbapi: Connection, host: Host) -> str | None:
    try:
        return dbapi.label_query(host.id, HOST_LABEL).label_value
    except exception.HostLabelNotFoundByKey:
        return None


def _label(app_op: AppOperator, host: Host) -> None:
    value = _label_value(app_op._dbapi, host)
    if value is None:
        row = {"host_id": host.id, "label_key": HOST_LABEL, "label_value": HOST_LABEL_VALUE}
        try:
            app_op._dbapi.label_create(host.uuid, row)
        except exception.HostLabelAlreadyExists:
            LOG.debug("%s: host %s was labelled meanwhile", HOST_LABEL, host.hostname)
    elif value != HOST_LABEL_VALUE:
        LOG.warning(
            "%s: host %s is labelled %r by hand and stays without an agent; its protected traffic is held back",
            HOST_LABEL,
            host.hostname,
            value,
        )
        return
    # Also when the database had it: the Node may be new, or the last attempt may have got only half-way.
    app_op._update_kubernetes_labels(host.hostname, {HOST_LABEL: HOST_LABEL_VALUE})


def _unlabel(app_op: AppOperator, host: Host) -> None:
    try:
        label = app_op._dbapi.label_query(host.id, HOST_LABEL)
    except exception.HostLabelNotFoundByKey:
        label = None
    if label is not None and label.label_value != HOST_LABEL_VALUE:
        return
    if label is not None:
        app_op._dbapi.label_destroy(label.uuid)
    if host.hostname:
        app_op._update_kubernetes_labels(host.hostname, {HOST_LABEL: None})
