"""What a hook is told. Reading a field that nobody set raises, as sysinv's versioned objects do."""


class LifecycleHookInfo:
    def __init__(self):
        self.extra = {}

    def init(self, mode, lifecycle_type, relative_timing, operation):
        self.mode = mode
        self.lifecycle_type = lifecycle_type
        self.relative_timing = relative_timing
        self.operation = operation

    def __getattr__(self, name):
        raise NotImplementedError(f"Cannot load '{name}' in the base class")
