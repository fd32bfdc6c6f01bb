"""The platform around the plugin, in memory: sysinv's database, Kubernetes, and the Docker engine with its registry.

Every part is as strict as the real one where a plugin could get it wrong, and keeps what was done to it.
"""

import itertools
import json
import tarfile
from types import SimpleNamespace

import docker
from sysinv.common import exception
from sysinv.common import utils as cutils


class ApiException(Exception):
    """What the Kubernetes client raises."""

    def __init__(self, status, reason):
        super().__init__(f"({status}) Reason: {reason}")
        self.status = status


def host(number, hostname, personality="controller", **fields):
    """A host as sysinv has it when it is in service with platform IPsec enabled; fields override."""
    values = {
        "id": number,
        "uuid": f"uuid-{number}",
        "hostname": hostname,
        "personality": personality,
        "administrative": "unlocked",
        "availability": "available",
        "capabilities": {"mgmt_ipsec": "enabled"},
    }
    return SimpleNamespace(**{**values, **fields})


class Database:
    """Hosts and their labels."""

    def __init__(self, *hosts, system_type="All-in-one", system_mode="duplex"):
        self.hosts = list(hosts)
        self.labels = {}
        self.system = SimpleNamespace(system_type=system_type, system_mode=system_mode)
        self.writes = 0
        self.broken_hosts = set()
        self._ids = itertools.count(1)

    def isystem_get_one(self):
        return self.system

    def ihost_get_list(self):
        return list(self.hosts)

    def label_query(self, host_id, label_key):
        if host_id in self.broken_hosts:
            raise ConnectionError("database connection lost")
        found = [row for row in self.labels.values() if (row.host_id, row.label_key) == (host_id, label_key)]
        if not found:
            raise exception.HostLabelNotFoundByKey(label=label_key)
        return found[0]

    def label_create(self, host_uuid, values):
        assert set(values) == {"host_id", "label_key", "label_value"}
        owner = next(h for h in self.hosts if h.uuid == host_uuid)
        assert owner.id == values["host_id"]
        if any((r.host_id, r.label_key) == (owner.id, values["label_key"]) for r in self.labels.values()):
            raise exception.HostLabelAlreadyExists(label=values["label_key"], host=owner.hostname)
        row = SimpleNamespace(uuid=f"label-{next(self._ids)}", **values)
        self.labels[row.uuid] = row
        self.writes += 1
        return row

    def label_destroy(self, uuid):
        del self.labels[uuid]
        self.writes += 1

    def delete_host(self, hostname):
        """`system host-delete`: its labels go with it."""
        gone = next(h for h in self.hosts if h.hostname == hostname)
        self.hosts.remove(gone)
        self.labels = {uuid: row for uuid, row in self.labels.items() if row.host_id != gone.id}

    def labelled(self):
        names = {h.id: h.hostname for h in self.hosts}
        return {names[row.host_id]: row.label_value for row in self.labels.values()}


class Kubernetes:
    """The calls of sysinv's KubeOperator that a plugin makes; namespaces go away slowly."""

    def __init__(self, *nodes):
        self.nodes = {name: {} for name in nodes}
        self.namespaces = {}
        self.release = None
        self.stranded = False
        self.terminating_polls = 2
        self.down = False
        self.writes = 0

    def kube_get_namespace(self, namespace):
        self._call(write=False)
        found = self.namespaces.get(namespace)
        if found is not None and found.phase == "Terminating":
            found.polls -= 1
            if found.polls < 0:
                del self.namespaces[namespace]
        return namespace in self.namespaces

    def kube_create_namespace(self, namespace):
        self._call()
        if namespace not in self.namespaces:
            self.namespaces[namespace] = SimpleNamespace(phase="Active", labels={}, secrets={}, polls=0)

    def kube_patch_namespace(self, namespace, body):
        self._call()
        if namespace not in self.namespaces:
            raise ApiException(404, "Not Found")
        self.namespaces[namespace].labels.update(body["metadata"]["labels"])

    def kube_delete_namespace(self, namespace, **kwargs):
        assert set(kwargs) <= {"grace_periods_seconds"}
        self._call()
        if self.release is not None:
            self.stranded = True
        if namespace in self.namespaces:
            self.namespaces[namespace].phase = "Terminating"
            self.namespaces[namespace].polls = self.terminating_polls

    def kube_get_secret(self, name, namespace):
        self._call(write=False)
        return self.namespaces[namespace].secrets.get(name) if namespace in self.namespaces else None

    def kube_create_secret(self, namespace, body):
        self._call()
        if self.namespaces[namespace].phase == "Terminating":
            raise ApiException(403, f"namespace {namespace} is being terminated")
        self.namespaces[namespace].secrets[body["metadata"]["name"]] = body

    def kube_delete_secret(self, name, namespace, **kwargs):
        assert set(kwargs) <= {"grace_period_seconds"}
        self._call()
        if namespace in self.namespaces:
            self.namespaces[namespace].secrets.pop(name, None)

    def get_custom_resource(self, group, version, namespace, plural, name):
        assert (group, version, plural) == ("helm.toolkit.fluxcd.io", "v2", "helmreleases")
        self._call(write=False)
        return self.release

    def apply_custom_resource(self, group, version, namespace, plural, name, body):
        self._call()
        self.release["spec"].update(body["spec"])

    def kube_patch_node(self, name, body):
        self._call()
        if name not in self.nodes:
            raise exception.KubeNodeNotFound(name=name)
        for key, value in body["metadata"]["labels"].items():
            self.nodes[name].pop(key, None)
            if value is not None:
                self.nodes[name][key] = value

    def _get_kubernetesclient_core(self):
        return SimpleNamespace(read_namespace=self._read_namespace)

    def _read_namespace(self, name):
        self._call(write=False)
        if name not in self.namespaces:
            raise ApiException(404, "Not Found")
        return SimpleNamespace(status=SimpleNamespace(phase=self.namespaces[name].phase))

    def _call(self, write=True):
        if self.down:
            raise ApiException(503, "Service Unavailable")
        self.writes += write


class Engine:
    """A Docker engine and the registry behind it; says 200 first and the error later, as the real one does."""

    def __init__(self):
        self.images = {}
        self.registry = {}
        self.load_error = self.push_error = self.stuck = None
        self.closed = 0
        self.before_push = lambda: None

    def client(self, *, timeout):
        assert timeout > 0
        return self

    def load_image(self, data):
        yield {"status": "Loading layer"}
        if self.load_error:
            yield {"error": self.load_error, "errorDetail": {"message": self.load_error}}
            return
        with tarfile.open(fileobj=data) as tar:
            entry = json.load(tar.extractfile("manifest.json"))[0]
        for name in entry["RepoTags"]:
            self.images[_full(name)] = entry["Config"]

    def tag(self, image, repository, tag, force=False):
        self.images[f"{repository}:{tag}"] = self.images[_full(image)]
        return True

    def push(self, repository, tag, *, stream, decode, auth_config):
        assert stream
        assert decode
        self.before_push()
        if f"{repository}:{tag}" not in self.images:
            yield {"error": "tag does not exist"}
        elif auth_config != cutils.CREDENTIALS:
            yield {"error": "unauthorized: authentication required"}
        elif self.push_error:
            yield {"status": "Pushing"}
            yield {"error": self.push_error}
        else:
            while self.stuck:
                yield {"status": "Pushing"}
            self.registry[f"{repository}:{tag}"] = self.images[f"{repository}:{tag}"]

    def inspect_distribution(self, image, auth_config):
        if self.push_error:
            raise docker.errors.APIError(self.push_error)
        if image not in self.registry:
            raise docker.errors.NotFound("manifest unknown")
        return {}

    def remove_image(self, image):
        if self.images.pop(_full(image), None) is None:
            raise docker.errors.NotFound("No such image")

    def close(self):
        self.closed += 1


def _full(name):
    return name if name.startswith(("docker.io/", "registry.local")) else f"docker.io/{name}"
