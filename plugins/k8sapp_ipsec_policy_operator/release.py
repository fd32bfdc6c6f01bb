"""The HelmRelease, as far as removal depends on it; everything else about it is Flux's and the framework's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_log import log as logging

from k8sapp_ipsec_policy_operator.constants import APPLICATION, NAMESPACE

if TYPE_CHECKING:
    from sysinv.conductor.kube_app import AppOperator

LOG = logging.getLogger(__name__)

HELM_RELEASE = ("helm.toolkit.fluxcd.io", "v2", NAMESPACE, "helmreleases", APPLICATION)


def release_exists(app_op: AppOperator) -> bool:
    """Whether Flux still has the release; its finalizer keeps it until the uninstall is through."""
    return app_op._kube.get_custom_resource(*HELM_RELEASE) is not None


def resume_release(app_op: AppOperator) -> None:
    """Lift a suspension that a failed update left behind: Flux deletes a suspended release without uninstalling it."""
    release = app_op._kube.get_custom_resource(*HELM_RELEASE)
    if release is not None and release.get("spec", {}).get("suspend"):
        LOG.info("HelmRelease %s was suspended; resumed, so that Flux uninstalls it.", APPLICATION)
        app_op._kube.apply_custom_resource(*HELM_RELEASE, {"spec": {"suspend": False}})
