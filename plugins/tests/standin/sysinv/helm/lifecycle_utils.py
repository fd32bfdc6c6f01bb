"""Pull secrets in the application's namespaces, which sysinv takes from the chart classes."""

PULL_SECRET = "default-registry-key"


def create_local_registry_secrets(app_op, app, hook_info):
    for namespace in app_op._helm.get_helm_application_namespaces(app.name):
        if app_op._kube.kube_get_secret(PULL_SECRET, namespace) is not None:
            continue
        if not app_op._kube.kube_get_namespace(namespace):
            app_op._kube.kube_create_namespace(namespace)
        app_op._kube.kube_create_secret(namespace, {"metadata": {"name": PULL_SECRET, "namespace": namespace}})


def delete_local_registry_secrets(app_op, app, hook_info):
    for namespace in app_op._helm.get_helm_application_namespaces(app.name):
        app_op._kube.kube_delete_secret(PULL_SECRET, namespace, grace_period_seconds=0)
