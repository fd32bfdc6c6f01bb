# `mode` is left out on purpose: reading it raises in some hooks, so the plugin must not.
from typing import Any

class LifecycleHookInfo:
    lifecycle_type: str | None
    relative_timing: str | None
    operation: str | None
    extra: dict[str, Any] | None
