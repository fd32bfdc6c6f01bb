from sysinv.conductor.kube_app import Application, AppOperator
from sysinv.helm.lifecycle_hook import LifecycleHookInfo

class AppLifecycleOperator:
    def app_lifecycle_actions(
        self,
        context: object,
        conductor_obj: object,
        app_op: AppOperator,
        app: Application,
        hook_info: LifecycleHookInfo,
    ) -> None: ...
