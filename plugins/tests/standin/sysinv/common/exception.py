"""sysinv's exceptions: a message with fields that are filled from keywords, and a missing field is an error."""


class SysinvException(Exception):
    message = "An unknown exception occurred."

    def __init__(self, message=None, **kwargs):
        super().__init__(self.message % kwargs if message is None else message)


class LifecycleSemanticCheckException(SysinvException):
    message = "Semantic check error: %(message)s"


class KubeAppApplyFailure(SysinvException):
    message = "Deployment of application %(name)s (%(version)s) failed: %(reason)s"


class KubeNodeNotFound(SysinvException):
    message = "Kubernetes Node %(name)s not found"


class InvalidHelmNamespace(SysinvException):
    message = "Invalid helm overrides namespace (%(namespace)s) for chart %(chart)s."


class HostLabelNotFoundByKey(SysinvException):
    message = "Host label %(label)s could not be found."


class HostLabelAlreadyExists(SysinvException):
    message = "Host label %(label)s already exists on host %(host)s."
