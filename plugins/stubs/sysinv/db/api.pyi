class Host:
    id: int
    uuid: str
    hostname: str | None
    personality: str | None
    administrative: str
    availability: str
    capabilities: dict[str, str] | None

class Label:
    uuid: str
    label_value: str

class Connection:
    def ihost_get_list(self) -> list[Host]: ...
    def label_query(self, host_id: int, label_key: str) -> Label: ...
    def label_create(self, host_uuid: str, values: dict[str, object]) -> Label: ...
    def label_destroy(self, uuid: str) -> None: ...
