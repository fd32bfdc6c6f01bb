"""What the platform knows and the chart does not: how many controllers there are, and how to pull an image.

The class must be registered under the HelmRelease's name and serve its namespace; otherwise the framework takes the
chart for disabled and drops these values in silence.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sysinv.common import exception
from sysinv.helm import base

from k8sapp_ipsec_policy_operator.constants import APPLICATION, NAMESPACE, PULL_SECRET

MAX_MANAGERS = 2


class IPsecPolicyOperatorHelm(base.FluxCDBaseHelm):
    """System overrides of the chart `ipsec-policy-operator`."""

    CHART = APPLICATION
    SUPPORTED_NAMESPACES: ClassVar[list[str]] = [*base.BaseHelm.SUPPORTED_NAMESPACES, NAMESPACE]
    SUPPORTED_APP_NAMESPACES: ClassVar[dict[str, list[str]]] = {APPLICATION: SUPPORTED_NAMESPACES}

    def get_overrides(self, namespace: str | None = None) -> dict[str, Any]:
        """Values by namespace, or those of one namespace; the same text for the same hosts, since sysinv compares."""
        overrides = {
            NAMESPACE: {
                "imagePullSecrets": [{"name": PULL_SECRET}],
                # Controllers in service: a second replica with nowhere to run would keep the release from Ready.
                "manager": {"replicas": min(MAX_MANAGERS, self._num_replicas_for_platform_app())},
            }
        }
        if namespace is None:
            return overrides
        if namespace in overrides:
            return overrides[namespace]
        raise exception.InvalidHelmNamespace(chart=self.CHART, namespace=namespace)
