"""Names that the platform, the chart and this plugin must agree on.

The framework's own words (hook types, operations) are written out in `lifecycle.py` as it sends them: where sysinv
keeps its constants has moved between releases, the words have not.
"""

from __future__ import annotations

# Application, chart, HelmRelease and namespace have one name for good: a name that vanishes is uninstalled.
APPLICATION = "ipsec-policy-operator"
NAMESPACE = APPLICATION

# Selects the hosts on which the agent runs.
HOST_LABEL = "ipsec-policy-agent-operator"
HOST_LABEL_VALUE = "enabled"

# The agent uses the host's network and its charon socket, which only the level `privileged` admits. Two labels and
# no more: the platform checks that exactly the namespaces on its own list carry all six.
POD_SECURITY_LABELS = {
    "pod-security.kubernetes.io/enforce": "privileged",
    "pod-security.kubernetes.io/enforce-version": "latest",
}

PULL_SECRET = "default-registry-key"  # noqa: S105 (the name of a Secret, not its content)

IMAGE_REPOSITORY = "docker.io/starlingx/ipsec-policy-operator"
LOCAL_REGISTRY = "registry.local:9001"
# Where the platform keeps the bundles that it uploads by itself; still there after a swact or reinstall.
PLATFORM_BUNDLES = "/usr/local/share/applications/helm"
