"""metadata.yaml: what the validator refuses, and what it lets pass and nobody then acts on."""

import re
from collections.abc import Iterator

from .unpacked import Unpacked, at

KUBERNETES_VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?")
APPLICATION_VERSION = re.compile(r"\d+\.\d+-\d+")
REPOSITORIES = ("stx-platform", "starlingx")
KNOWN_KEYS = {
    "app_name", "app_version", "helm_repo", "supported_k8s_version", "supported_releases", "behavior", "upgrades",
    "downgrades", "k8s_upgrades", "dependent_apps", "dependent_parent_exceptions", "class", "disabled_charts",
    "maintain_user_overrides", "maintain_attributes", "apply_progress_adjust",
}  # fmt: skip
FLAGS = [
    ("behavior", "platform_managed_app"),
    ("upgrades", "auto_update"),
    ("upgrades", "update_failure_no_rollback"),
    ("downgrades", "auto_downgrade"),
    ("k8s_upgrades", "auto_update"),
    ("maintain_user_overrides",),
    ("maintain_attributes",),
]
TRIGGERS = {
    "host-add", "host-delete", "reinstall", "lock", "force-lock", "unlock", "force-unlock", "swact", "force-swact",
    "host-modify", "host-label-assign", "host-availability-updated", "system-modify", "detected-swact",
    "runtime-apply-puppet", "storage-backend-modify", "kube-upgrade-complete", "usm-upgrade-complete",
    "on-demand-reapply",
}  # fmt: skip


def application_name(unpacked: Unpacked) -> Iterator[str]:
    name = unpacked.metadata.get("app_name")
    if not isinstance(name, str) or not name:
        yield "app_name is missing"
    elif name.endswith("openstack"):
        yield f"app_name {name} must not end in openstack: such applications share one plugin"


def application_version(unpacked: Unpacked) -> Iterator[str]:
    version = unpacked.metadata.get("app_version")
    if not isinstance(version, str) or not APPLICATION_VERSION.fullmatch(version):
        yield f"app_version {version!r} must have the form X.Y-Z, or the conductor's audit deletes the plugin"


def kubernetes_version(unpacked: Unpacked) -> Iterator[str]:
    supported = unpacked.metadata.get("supported_k8s_version")
    minimum, maximum = at(supported, "minimum"), at(supported, "maximum")
    if not isinstance(minimum, str) or not KUBERNETES_VERSION.fullmatch(minimum):
        yield f"supported_k8s_version.minimum {minimum!r} must be a text like '1.29'"
    if maximum is not None and (not isinstance(maximum, str) or not KUBERNETES_VERSION.fullmatch(maximum)):
        yield f"supported_k8s_version.maximum {maximum!r} must be a text like '1.29'"


def flags(unpacked: Unpacked) -> Iterator[str]:
    for keys in FLAGS:
        value = at(unpacked.metadata, *keys)
        if value is not None and not isinstance(value, bool) and value not in ("y", "n", 1, 0):
            yield f"{'.'.join(keys)} must be yes or no, not {value!r}"


def behavior(unpacked: Unpacked) -> Iterator[str]:
    state = at(unpacked.metadata, "behavior", "desired_state")
    if state not in (None, "uploaded", "applied"):
        yield f"behavior.desired_state {state!r} is neither uploaded nor applied: nobody would act on it"
    if state is not None and at(unpacked.metadata, "behavior", "platform_managed_app") is not True:
        yield "behavior.desired_state acts only with platform_managed_app"
    forbidden = at(unpacked.metadata, "behavior", "forbidden_manual_operations") or []
    for operation in forbidden if isinstance(forbidden, list) else [forbidden]:
        if operation not in ("remove", "delete"):
            yield f"behavior.forbidden_manual_operations knows remove and delete, not {operation!r}"


def triggers(unpacked: Unpacked) -> Iterator[str]:
    listed = at(unpacked.metadata, "behavior", "evaluate_reapply", "triggers") or []
    if not isinstance(listed, list):
        yield "behavior.evaluate_reapply.triggers must be a list"
        return
    seen = set()
    for trigger in listed:
        kind = at(trigger, "type")
        if kind not in TRIGGERS:
            yield f"trigger {kind!r} does not exist: it would never fire"
        if kind in seen:
            yield f"trigger {kind!r} is listed twice: only the first one counts"
        seen.add(kind)
        filters = at(trigger, "filters")
        if filters is not None and not (isinstance(filters, list) and all(isinstance(f, dict) for f in filters)):
            yield f"filters of trigger {kind!r} must be a list of field: value"


def upgrades(unpacked: Unpacked) -> Iterator[str]:
    expressions = at(unpacked.metadata, "upgrades", "from_versions")
    if expressions is not None and (not isinstance(expressions, list) or not expressions):
        yield "upgrades.from_versions must be a list that is not empty: no version could be updated"
        return
    for expression in expressions or []:
        try:
            re.compile(expression)
        except (re.error, TypeError):
            yield f"upgrades.from_versions holds {expression!r}, which is no regular expression"


def kubernetes_upgrades(unpacked: Unpacked) -> Iterator[str]:
    section = unpacked.metadata.get("k8s_upgrades")
    if section is None:
        return
    if not isinstance(section, dict) or {"auto_update", "timing"} - section.keys():
        yield "k8s_upgrades needs auto_update and timing together"
    elif section["timing"] not in ("pre", "post"):
        yield f"k8s_upgrades.timing must be pre or post, not {section['timing']!r}"


def helm_repository(unpacked: Unpacked) -> Iterator[str]:
    repository = unpacked.metadata.get("helm_repo", "starlingx")
    if repository not in REPOSITORIES:
        yield f"helm_repo {repository!r} is neither stx-platform nor starlingx"
    url = at(unpacked.mapping("fluxcd-manifests/base/helmrepository.yaml"), "spec", "url")
    if str(url).rstrip("/").rsplit("/", 1)[-1] != repository:
        yield f"charts would be put into {repository} and fetched from {url}"


def known_keys(unpacked: Unpacked) -> Iterator[str]:
    for key in sorted(set(map(str, unpacked.metadata)) - KNOWN_KEYS):
        yield f"key {key} is not known to the framework and would be ignored"


RULES = [
    application_name, application_version, kubernetes_version, flags, behavior, triggers, upgrades,
    kubernetes_upgrades, helm_repository, known_keys,
]  # fmt: skip
