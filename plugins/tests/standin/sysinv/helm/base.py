"""Base classes of a chart's overrides; one instance each, used by several threads."""


class BaseHelm:
    SUPPORTED_NAMESPACES = []
    SUPPORTED_APP_NAMESPACES = {}

    def __init__(self, operator):
        self._operator = operator

    @property
    def dbapi(self):
        return self._operator.dbapi

    def _num_replicas_for_platform_app(self):
        serving = [
            host
            for host in self.dbapi.ihost_get_list()
            if host.personality == "controller"
            and host.administrative == "unlocked"
            and host.availability in ("available", "degraded")
        ]
        return max(1, len(serving))


class FluxCDBaseHelm(BaseHelm):
    pass
