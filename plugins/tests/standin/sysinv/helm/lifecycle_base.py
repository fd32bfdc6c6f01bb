"""sysinv's own operator: refuses an automatic apply, makes and deletes the pull secret."""

from sysinv.common import exception
from sysinv.helm import lifecycle_utils


class AppLifecycleOperator:
    def app_lifecycle_actions(self, context, conductor_obj, app_op, app, hook_info):
        moment = (hook_info.lifecycle_type, hook_info.relative_timing, hook_info.operation)
        if moment == ("check", "pre", "apply") and hook_info.mode == "auto":
            raise exception.LifecycleSemanticCheckException(f"Automatic apply is disabled for {app.name}.")
        if moment == ("resource", "pre", "apply"):
            lifecycle_utils.create_local_registry_secrets(app_op, app, hook_info)
        if moment == ("resource", "post", "remove"):
            lifecycle_utils.delete_local_registry_secrets(app_op, app, hook_info)
