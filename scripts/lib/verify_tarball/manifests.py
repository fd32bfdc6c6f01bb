"""fluxcd-manifests/: what the framework reads there by name, and what would strand or delete things at removal."""

from collections.abc import Iterator

from .unpacked import MANIFESTS, Unpacked, at, texts

RELEASE_API = "helm.toolkit.fluxcd.io/v2"
REPOSITORY_API = "source.toolkit.fluxcd.io/v1"
MAX_UNINSTALL_SECONDS = 60


def manifest_folders(unpacked: Unpacked) -> Iterator[str]:
    root = unpacked.mapping(f"{MANIFESTS}/kustomization.yaml")
    entries = [str(entry).strip("./") for entry in root.get("resources") or []]
    if "base" not in entries or not (unpacked.folder / MANIFESTS / "base").is_dir():
        yield "base/ is missing, or not among the resources of the root kustomization"
    if not unpacked.release_folders:
        yield "the root kustomization names no HelmRelease folder"
    for name in unpacked.release_folders:
        for file in ("helmrelease.yaml", "kustomization.yaml"):
            if not (unpacked.folder / MANIFESTS / name / file).is_file():
                yield f"{name}/{file} is missing"


def document_marks(unpacked: Unpacked) -> Iterator[str]:
    for name in _yaml_files(unpacked):
        for document in unpacked.documents(name):
            if any("---" in text for text in texts(document)):
                yield f"a value in {name} holds '---', at which the framework cuts: the application has no charts"


def no_namespace(unpacked: Unpacked) -> Iterator[str]:
    for name in _yaml_files(unpacked):
        if any(at(document, "kind") == "Namespace" for document in unpacked.documents(name)):
            yield f"{name} holds a Namespace: removal would delete it first and strand everything outside it"


def repository(unpacked: Unpacked) -> Iterator[str]:
    found = unpacked.mapping(f"{MANIFESTS}/base/helmrepository.yaml")
    if (found.get("apiVersion"), found.get("kind")) != (REPOSITORY_API, "HelmRepository"):
        yield f"base/helmrepository.yaml must be a HelmRepository of {REPOSITORY_API}"
    for folder, release in unpacked.releases:
        source = at(release, "spec", "chart", "spec", "sourceRef", "name")
        if source != at(found, "metadata", "name"):
            yield f"HelmRelease in {folder}/ takes its chart from {source}, which is not in base/"


def release(unpacked: Unpacked) -> Iterator[str]:
    for folder, found in unpacked.releases:
        if (found.get("apiVersion"), found.get("kind")) != (RELEASE_API, "HelmRelease"):
            yield f"{folder}/helmrelease.yaml must be a HelmRelease of {RELEASE_API}"
        name = at(found, "metadata", "name")
        if not name or at(found, "spec", "releaseName") != name:
            yield f"{folder}: metadata.name and spec.releaseName must be one name"
        if at(found, "spec", "suspend"):
            yield f"{folder}: the HelmRelease is suspended"


def release_removal(unpacked: Unpacked) -> Iterator[str]:
    for folder, found in unpacked.releases:
        for phase in ("install", "upgrade"):
            if at(found, "spec", phase, "remediation", "strategy") == "uninstall":
                yield f"{folder}: remediation by uninstall would delete the CRDs and every policy with them"
        timeout = str(at(found, "spec", "uninstall", "timeout"))
        if not timeout.removesuffix("s").isdigit() or int(timeout[:-1]) > MAX_UNINSTALL_SECONDS:
            yield f"{folder}: uninstall.timeout {timeout} must be a number of seconds up to {MAX_UNINSTALL_SECONDS}s"


def namespace(unpacked: Unpacked) -> Iterator[str]:
    if not unpacked.namespace:
        yield "the root kustomization sets no namespace"


def overrides(unpacked: Unpacked) -> Iterator[str]:
    for folder, found in unpacked.releases:
        keys = [str(at(entry, "valuesKey")) for entry in at(found, "spec", "valuesFrom") or []]
        for ending in ("static-overrides.yaml", "system-overrides.yaml"):
            matching = [key for key in keys if key.endswith(ending)]
            if len(matching) != 1:
                yield f"{folder}: valuesFrom must have exactly one valuesKey *{ending}, has {len(matching)}"
            for key in matching:
                if not (unpacked.folder / MANIFESTS / folder / key).is_file():
                    yield f"{folder}/{key} is missing"
        system = [path.name for path in (unpacked.folder / MANIFESTS / folder).glob("*-system-overrides.yaml")]
        if len(system) > 1:
            yield f"{folder}: more than one *-system-overrides.yaml, and only one of them would be written"
        if keys != sorted(keys, key=lambda key: key.endswith("system-overrides.yaml")):
            yield f"{folder}: static overrides must come before system overrides, since the last one wins"


def secrets(unpacked: Unpacked) -> Iterator[str]:
    for folder, found in unpacked.releases:
        kustomization = unpacked.mapping(f"{MANIFESTS}/{folder}/kustomization.yaml")
        if at(kustomization, "generatorOptions", "disableNameSuffixHash") is not True:
            yield f"{folder}: without disableNameSuffixHash the HelmRelease does not find its Secrets"
        made = {
            (generator.get("name"), str(file).split("=")[0])
            for generator in kustomization.get("secretGenerator") or []
            for file in generator.get("files") or []
        }
        for entry in at(found, "spec", "valuesFrom") or []:
            if (at(entry, "name"), at(entry, "valuesKey")) not in made:
                yield f"{folder}: no secretGenerator makes {at(entry, 'valuesKey')} in Secret {at(entry, 'name')}"


def release_name(unpacked: Unpacked) -> Iterator[str]:
    for folder, found in unpacked.releases:
        if at(found, "metadata", "name") != unpacked.app_name:
            yield f"{folder}: the HelmRelease is not called {unpacked.app_name}; the name is for good"


def _yaml_files(unpacked: Unpacked) -> list[str]:
    return [name for name in unpacked.files() if name.startswith(f"{MANIFESTS}/") and name.endswith((".yaml", ".yml"))]


RULES = [
    manifest_folders, document_marks, no_namespace, repository, release, release_removal, namespace, overrides,
    secrets, release_name,
]  # fmt: skip
