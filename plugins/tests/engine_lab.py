"""A real Docker engine and a real registry with credentials, both in a folder of the test's own.

Debian's docker.io and docker-registry; only root can start the engine. Nothing of the machine's own engine is touched.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path

START_SECONDS = 60
# bcrypt of "sysinv" : "secret", which the stand-in's keyring hands out.
HTPASSWD = "sysinv:$2b$04$vvlMav8P754iWcoXOfysiu3modEc1CwWNLtuOfP2BJAHOXFVEMMcG\n"


def missing():
    """What this machine lacks for a lab, in words, or nothing."""
    programs = [name for name in ("dockerd", "docker-registry") if _program(name) is None]
    if programs:
        return f"no {', '.join(programs)}: install the Debian packages docker.io and docker-registry"
    return None if os.geteuid() == 0 else "only root can start a Docker engine"


def _program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextlib.contextmanager
def _running(command, log):
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(ready, process, log):
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args[0]} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def engine(folder):
    """A Docker engine; yields the address of its socket."""
    address = f"unix://{folder}/docker.sock"
    command = [_program("dockerd"), "--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    command += [f"--host={address}", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    command += [f"--pidfile={folder}/docker.pid", f"--config-file={folder}/none.json"]
    (folder / "none.json").write_text("{}")
    log = folder / "dockerd.log"
    with _running(command, log) as process:
        _wait((folder / "docker.sock").exists, process, log)
        yield address


@contextlib.contextmanager
def registry(folder, storage, port):
    """A registry that wants credentials; yields its name, which the engine takes without TLS."""
    (folder / "htpasswd").write_text(HTPASSWD)
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "lab", "path": str(folder / "htpasswd")}},
    }
    (folder / "registry.yml").write_text(json.dumps(config))
    log = folder / "registry.log"
    with _running([_program("docker-registry"), "serve", str(folder / "registry.yml")], log) as process:
        _wait(lambda: _listens(port), process, log)
        yield f"localhost:{port}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system that is soon full."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def write_archive(path, tag, size=1 << 16):
    """A docker-archive of one layer of random bytes; returns the image's ID."""
    layer = _tar({"content": os.urandom(size)})
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/content"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {f"{name}.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    Path(path).write_bytes(_tar(files))
    return f"sha256:{name}"


def tags(port, repository):
    """What the registry itself says: its tags of a repository."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/{repository}/tags/list")
    request.add_header("Authorization", "Basic c3lzaW52OnNlY3JldA==")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["tags"] or []
    except urllib.error.HTTPError:
        return []


def _tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
