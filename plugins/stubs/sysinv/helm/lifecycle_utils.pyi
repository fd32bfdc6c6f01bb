from sysinv.conductor.kube_app import Application, AppOperator
from sysinv.helm.lifecycle_hook import LifecycleHookInfo

def create_local_registry_secrets(app_op: AppOperator, app: Application, hook_info: LifecycleHookInfo) -> None: ...
