"""What happens at which moment of an application's life: one table, one short function for each moment.

Only check hooks can refuse, and only errors of resource hooks reach the operator; sysinv logs and swallows the others.
No function needs anything that an earlier one left on this controller: a swact may lie between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from oslo_log import log as logging
from sysinv.common import exception
from sysinv.common import utils as cutils
from sysinv.helm import lifecycle_base

from k8sapp_ipsec_policy_operator import hosts, image, namespace, release
from k8sapp_ipsec_policy_operator.constants import APPLICATION, NAMESPACE

if TYPE_CHECKING:
    from sysinv.conductor.kube_app import Application, AppOperator
    from sysinv.helm.lifecycle_hook import LifecycleHookInfo

LOG = logging.getLogger(__name__)


class Moment(NamedTuple):
    """What a hook gets to see. Context and conductor are left out: they are None in half of the hooks."""

    app_op: AppOperator
    app: Application
    hook_info: LifecycleHookInfo


def check_apply(moment: Moment) -> None:
    """Refuse where no traffic between hosts exists, and where a host says that platform IPsec is not in force."""
    dbapi = moment.app_op._dbapi
    if cutils.is_aio_simplex_system(dbapi):
        raise exception.LifecycleSemanticCheckException(
            f"{APPLICATION} protects traffic between hosts, and an All-in-one Simplex system has one host only. "
            "Migrate the system to Duplex first, then apply the application."
        )
    states = hosts.ipsec_states(dbapi)
    silent = [name for name, state in states.items() if state is None]
    if silent:
        LOG.warning("%s: these hosts do not say whether platform IPsec is enabled: %s.", APPLICATION, ", ".join(silent))
    not_enabled = [f"{name} ({state})" for name, state in states.items() if state not in (None, "enabled")]
    if not_enabled:
        raise exception.LifecycleSemanticCheckException(
            f"{APPLICATION} needs platform IPsec on every unlocked host, and mgmt_ipsec is not 'enabled' on "
            f"{', '.join(not_enabled)}. Wait until it is (see capabilities in 'system host-show <host>'), or lock "
            "these hosts, then apply again."
        )


def check_remove(moment: Moment) -> None:
    """Refuse while a host with our configuration on its disk cannot be asked to take it away. Changes nothing."""
    away = hosts.unreachable_labelled_hosts(moment.app_op._dbapi)
    if not away:
        return
    names = ", ".join(away)
    if (moment.hook_info.extra or {}).get("force"):
        LOG.warning(
            "%s is removed by force while %s cannot be reached. On each of them, once it is back: "
            "rm /etc/swanctl/conf.d/k8s-nodes.conf, then swanctl --load-conns, then 'nft delete table inet <name>' for "
            "each ipsec_policy_guard_* that 'nft list tables' shows; a restart of the host ends what still carries.",
            APPLICATION,
            names,
        )
        return
    raise exception.LifecycleSemanticCheckException(
        f"{names} cannot be reached, and would come back with IPsec policies that nobody answers any more. Bring "
        "the hosts into service (or delete them from the system) and remove again, or remove with --force and clean "
        "them by hand."
    )


def label_new_hosts(moment: Moment) -> None:
    """A host that joined gets its label here: a reapply happens only when the overrides have changed."""
    _log_errors("label new hosts", lambda: hosts.label_hosts(moment.app_op))


def load_image_early(moment: Moment) -> None:
    """Load the image as soon as it is there. Apply does the same again, so a failure is only logged."""
    _log_errors("load the image", lambda: image.ensure_image(moment.app))


def prepare(moment: Moment) -> None:
    """Everything that must be there before the framework pulls images and hands the release to Flux."""
    try:
        image.ensure_image(moment.app)
    except image.ImageError as error:
        raise exception.KubeAppApplyFailure(
            name=moment.app.name, version=moment.app.version, reason=str(error)
        ) from error
    namespace.ensure_namespace(moment.app_op, moment.app, moment.hook_info)
    hosts.label_hosts(moment.app_op)


def prepare_removal(moment: Moment) -> None:
    """Flux must not find the release suspended; an error here would be swallowed, so it is logged in our words."""
    _log_errors("resume the HelmRelease", lambda: release.resume_release(moment.app_op))


def clean_up(moment: Moment) -> None:
    """After Flux has finished: labels, pull secret, namespace. Twice is once."""
    if release.release_exists(moment.app_op):
        raise exception.SysinvException(
            f"Flux has not finished to uninstall HelmRelease {APPLICATION}: look at 'kubectl -n {NAMESPACE} describe "
            f"helmrelease {APPLICATION}', and remove the application again when it is gone."
        )
    hosts.unlabel_hosts(moment.app_op)
    namespace.remove_namespace(moment.app_op)


# (type, timing, operation), in sysinv's words. What is not listed is left to sysinv's own operator.
HOOKS: dict[tuple[Any, Any, Any], Callable[[Moment], None]] = {
    ("check", "pre", "apply"): check_apply,
    ("check", "pre", "remove"): check_remove,
    ("check", None, "evaluate-reapply"): label_new_hosts,
    ("operation", "post", "upload"): load_image_early,
    ("operation", "post", "restore"): load_image_early,
    ("resource", "pre", "apply"): prepare,
    ("operation", "pre", "remove"): prepare_removal,
    ("resource", "post", "remove"): clean_up,
    ("resource", "pre", "delete"): clean_up,
}


class IPsecPolicyOperatorLifecycle(lifecycle_base.AppLifecycleOperator):
    """Lifecycle operator that sysinv finds by the entry point `systemconfig.app_lifecycle`."""

    def app_lifecycle_actions(
        self,
        context: object,
        conductor_obj: object,
        app_op: AppOperator,
        app: Application,
        hook_info: LifecycleHookInfo,
    ) -> None:
        """Do what the table says for this moment. `hook_info.mode` is never read: in some hooks reading it raises."""
        key = (hook_info.lifecycle_type, hook_info.relative_timing, hook_info.operation)
        hook = HOOKS.get(key)
        if hook is None:
            super().app_lifecycle_actions(context, conductor_obj, app_op, app, hook_info)
        else:
            hook(Moment(app_op, app, hook_info))


def _log_errors(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except Exception as error:
        LOG.error("%s could not %s: %s", APPLICATION, what, error)
