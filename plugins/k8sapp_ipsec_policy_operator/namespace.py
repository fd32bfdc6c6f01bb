"""The namespace and its pull secret. They are no part of the manifests, on purpose.

A Namespace in the manifests would be deleted together with the HelmRelease: hooks and agents die, and Flux then takes
the release for uninstalled and leaves everything outside the namespace behind.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable

from oslo_log import log as logging
from sysinv.common import exception
from sysinv.helm import lifecycle_utils

from k8sapp_ipsec_policy_operator.constants import NAMESPACE, POD_SECURITY_LABELS, PULL_SECRET

if TYPE_CHECKING:
    from sysinv.conductor.kube_app import Application, AppOperator
    from sysinv.helm.lifecycle_hook import LifecycleHookInfo

LOG = logging.getLogger(__name__)

# A namespace that holds nothing is gone within a few seconds; removal as a whole may take 60 s.
GONE_SECONDS = 15.0
# Apply may wait longer for the rest of an earlier removal: objects cannot be made in a namespace that is going away.
TERMINATING_SECONDS = 60.0
POLL_SECONDS = 1.0
HTTP_NOT_FOUND = 404


def ensure_namespace(app_op: AppOperator, app: Application, hook_info: LifecycleHookInfo) -> None:
    """Create and label the namespace and put the pull secret in it; what is there already stays."""
    if not _wait_until(lambda: not _is_terminating(app_op), TERMINATING_SECONDS):
        raise exception.KubeAppApplyFailure(
            name=app.name,
            version=app.version,
            reason=f"namespace {NAMESPACE} is still being deleted by an earlier removal; "
            f"look at 'kubectl get namespace {NAMESPACE} -o yaml' and apply again.",
        )
    if not app_op._kube.kube_get_namespace(NAMESPACE):
        app_op._kube.kube_create_namespace(NAMESPACE)
    app_op._kube.kube_patch_namespace(NAMESPACE, {"metadata": {"labels": dict(POD_SECURITY_LABELS)}})
    lifecycle_utils.create_local_registry_secrets(app_op, app, hook_info)


def remove_namespace(app_op: AppOperator) -> None:
    """Delete pull secret and namespace. A namespace that is slow to go is logged: nothing of ours runs in it."""
    kube = app_op._kube
    if not kube.kube_get_namespace(NAMESPACE):
        return
    kube.kube_delete_secret(PULL_SECRET, NAMESPACE, grace_period_seconds=0)
    kube.kube_delete_namespace(NAMESPACE, grace_periods_seconds=0)
    if not _wait_until(lambda: not kube.kube_get_namespace(NAMESPACE), GONE_SECONDS):
        LOG.warning("Namespace %s is still being deleted after %d s; apply waits for it.", NAMESPACE, GONE_SECONDS)


def _is_terminating(app_op: AppOperator) -> bool:
    """Sysinv's own call says only whether a namespace exists, so its phase is read with the client behind it."""
    if not app_op._kube.kube_get_namespace(NAMESPACE):
        return False
    try:
        namespace = app_op._kube._get_kubernetesclient_core().read_namespace(NAMESPACE)
    except Exception as error:
        if getattr(error, "status", None) == HTTP_NOT_FOUND:
            return False
        raise
    return bool(namespace.status.phase == "Terminating")


def _wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
