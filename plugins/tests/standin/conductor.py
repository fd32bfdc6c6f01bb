"""Whole operations in the conductor's order: which hooks, with which arguments, and which errors it swallows.

The order was read in sysinv (api/controllers/v1/kube_app.py, conductor/manager.py, conductor/kube_app.py). An operation
leaves `status`; a refusal is raised, as the REST API prints it.
"""

import contextlib
import logging
from types import SimpleNamespace

from sysinv.common import exception
from sysinv.helm.lifecycle_hook import LifecycleHookInfo

LOG = logging.getLogger("sysinv.conductor")

CONTEXT = object()
CONDUCTOR = object()
IN_CONTEXT = ("check", "operation")
UNSET = object()


class Conductor:
    def __init__(self, plugin, chart, database, kube, engine):
        self.plugin = plugin
        self.kube = kube
        self.database = database
        self.engine = engine
        self.app_op = SimpleNamespace(
            _dbapi=database,
            _kube=kube,
            _helm=SimpleNamespace(
                get_helm_application_namespaces=lambda name: chart.SUPPORTED_APP_NAMESPACES[name],
            ),
            _update_kubernetes_labels=self._update_kubernetes_labels,
        )
        self.chart = chart(SimpleNamespace(dbapi=database))
        self.app = None
        self.status = None
        self.progress = ""
        self.hooks = []
        self.overrides = None
        self.public_registry = False
        self.flux_fails = False

    # The operations of `system application-*`.

    def upload(self, app):
        """Unpacked and registered; the state is `uploaded` before the hook starts, and an error in it is swallowed."""
        self.app = app
        self.status = "uploaded"
        self._swallow("operation", "post", "upload", mode="manual")

    def apply(self, mode="manual"):
        self._hook("check", "pre", "apply", mode=mode)
        self._swallow("operation", "pre", "apply", mode=mode)
        self._perform_apply(mode)

    def remove(self, force=False):
        extra = {"force": force}
        self._hook("check", "pre", "remove", mode="manual", extra=extra)
        self.status = "removing"
        self._swallow("operation", "pre", "remove", mode="manual", extra=extra)
        self._hook("fluxcd-request", "pre", "remove", mode=UNSET)
        self._flux_delete()
        self._hook("fluxcd-request", "post", "remove", mode=UNSET, extra={"rc": True})
        try:
            self._hook("resource", "post", "remove", mode="manual")
        except Exception:
            LOG.exception("remove failed")
            self.status = "remove-failed"
            return
        self.status = "uploaded"
        self._hook("operation", "post", "remove", mode="manual", extra={"app_removed": True})

    def delete(self, force=False):
        self._hook("check", "pre", "delete", mode="manual", extra={"force": force})
        self._swallow("operation", "pre", "delete", mode="manual")
        self._hook("resource", "pre", "delete", mode="manual")
        self.status = None

    def update(self, plugin, app):
        """The new plugin alone is loaded after the first check; no upload hook for the new application."""
        self._hook("check", "pre", "update", mode="auto", extra={"from_app": True})
        before = (self.plugin, self.app)
        self.plugin, self.app = plugin, app
        if self.kube.release is not None:
            self.kube.release["spec"]["suspend"] = True
        self._hook("check", "pre", "update", mode="auto", extra={"to_app": True}, no_context=True)
        self._hook("resource", "pre", "update", mode="auto")
        self._perform_apply("auto")
        if self.status != "applied":
            failed = self.progress
            self.plugin, self.app = before
            self._perform_apply("auto")
            self.progress = failed

    def evaluate_reapply(self, trigger):
        """Only platform-managed, active applications are asked; applied again only if the overrides changed."""
        if self.status != "applied":
            return
        try:
            self._hook("check", None, "evaluate-reapply", mode="auto", extra={"trigger": {"type": trigger}})
        except exception.LifecycleSemanticCheckException:
            return
        if self.chart.get_overrides() != self.overrides:
            self._perform_apply("auto")

    def backup(self):
        self._hook("check", "pre", "backup", mode="auto")
        for timing, operation in (
            ("pre", "backup"),
            ("pre", "etcd-backup"),
            ("post", "etcd-backup"),
            ("post", "backup"),
        ):
            self._hook("operation", timing, operation, mode="auto", extra={"success": True})

    def restore(self):
        """An error makes the application apply-failed."""
        try:
            self._hook("operation", "post", "restore", mode="auto", extra={"success": True})
        except Exception:
            self.status = "apply-failed"

    # What they have in common.

    def _perform_apply(self, mode):
        self.status = "applying"
        try:
            self.overrides = self.chart.get_overrides()
            self._hook("resource", "pre", "apply", mode=mode)
            self._download_images()
            self._hook("manifest", "pre", "apply", mode=mode)
            self._hook("fluxcd-request", "pre", "apply", mode=UNSET)
            self._flux_apply()
            self._hook("fluxcd-request", "status", "apply", mode=UNSET, extra={"release": "ipsec-policy-operator"})
            self._hook("fluxcd-request", "post", "apply", mode=UNSET, extra={"rc": True})
            self._hook("manifest", "post", "apply", mode=mode, extra={"manifest_applied": True})
            self._hook("operation", "post", "apply", mode=mode, extra={"app_applied": True})
            self.status, self.progress = "applied", "completed"
        except Exception as error:
            LOG.error("apply failed: %s", error)
            self._hook("resource", "post", "apply", mode=mode)
            self._hook("operation", "post", "abort", mode=UNSET, extra={"aborted_op": "apply"}, no_context=True)
            self._hook("operation", "post", "apply", mode=mode, extra={"app_applied": False})
            self.status, self.progress = "apply-failed", str(error)

    def _hook(self, kind, timing, operation, mode, extra=None, no_context=False):
        info = LifecycleHookInfo()
        info.lifecycle_type, info.relative_timing, info.operation = kind, timing, operation
        info.extra = dict(extra or {})
        if mode is not UNSET:
            info.mode = mode
        has_context = kind in IN_CONTEXT and not no_context
        self.hooks.append((kind, timing, operation))
        self.plugin.app_lifecycle_actions(
            CONTEXT if has_context else None, CONDUCTOR if has_context else None, self.app_op, self.app, info
        )

    def _swallow(self, *args, **kwargs):
        try:
            self._hook(*args, **kwargs)
        except Exception:
            LOG.exception("hook failed")

    def _download_images(self):
        image = f"registry.local:9001/docker.io/starlingx/ipsec-policy-operator:{self.app.version}"
        if image not in self.engine.registry:
            if not self.public_registry:
                raise exception.KubeAppApplyFailure(
                    name=self.app.name, version=self.app.version, reason="failed to download images"
                )
            self.engine.registry[image] = "public"

    def _flux_apply(self):
        namespace = self.kube.namespaces.get("ipsec-policy-operator")
        if namespace is None or namespace.phase != "Active" or "default-registry-key" not in namespace.secrets:
            raise RuntimeError("namespace ipsec-policy-operator is not ready for the release")
        if self.flux_fails:
            raise RuntimeError("Failed to apply helm release")
        self.kube.release = {"spec": {"suspend": False}}

    def _flux_delete(self):
        """`kubectl delete -k`: Flux drops a suspended release without an uninstall, and what it made stays."""
        if self.kube.release is not None and self.kube.release["spec"].get("suspend"):
            self.kube.stranded = True
        if not self.flux_fails:
            self.kube.release = None

    def _update_kubernetes_labels(self, hostname, label_dict):
        with contextlib.suppress(exception.KubeNodeNotFound):
            self.kube.kube_patch_node(hostname, {"metadata": {"labels": dict(label_dict)}})
