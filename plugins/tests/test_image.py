"""The way of the image into the registry: every failure a sentence, and nothing left half done."""

import inspect
import threading

import docker
import pytest
from sysinv.common import utils as cutils

from k8sapp_ipsec_policy_operator import image

IMAGE = "registry.local:9001/docker.io/starlingx/ipsec-policy-operator:1.0-1"


@pytest.fixture
def engine(site):
    site.engine.registry.clear()
    return site.engine


@pytest.mark.parametrize(
    ("field", "words", "message"),
    [
        ("load_error", "no space left on device", r"could not load the image: no space left on device"),
        ("push_error", "received unexpected HTTP status: 500", r"could not push the image: received unexpected"),
    ],
)
def test_an_error_in_the_engines_answer(site, engine, field, words, message):
    setattr(engine, field, words)
    with pytest.raises(image.ImageError, match=message):
        image.ensure_image(site.app)
    assert engine.registry == {}
    assert engine.images == {}


def test_wrong_credentials(site, engine, monkeypatch):
    monkeypatch.setattr(cutils, "get_local_docker_registry_auth", lambda: {"username": "sysinv", "password": "old"})
    with pytest.raises(image.ImageError, match="could not push the image: unauthorized"):
        image.ensure_image(site.app)
    assert engine.images == {}


def test_a_push_that_never_ends(site, engine, clock, monkeypatch):
    engine.stuck = True
    push = engine.push

    def slow(*args, **kwargs):
        for event in push(*args, **kwargs):
            clock.now += 10
            yield event

    monkeypatch.setattr(engine, "push", slow)
    with pytest.raises(image.ImageError, match="more than 240 s to push"):
        image.ensure_image(site.app)
    assert engine.images == {}


def test_an_engine_that_does_not_answer(site, monkeypatch):
    def refuse(**kwargs):
        raise ConnectionRefusedError("/var/run/docker.sock")

    monkeypatch.setattr(image.docker, "APIClient", refuse)
    with pytest.raises(image.ImageError, match=r"could not be brought into the registry: /var/run/docker.sock"):
        image.ensure_image(site.app)


def test_a_broken_archive(site, engine):
    with open(f"{site.app.inst_path}/image/ipsec-policy-operator.tar", "wb") as archive:
        archive.write(b"not a tar")
    with pytest.raises(image.ImageError, match="could not be brought into the registry"):
        image.ensure_image(site.app)
    assert engine.registry == {}


def test_without_archive_and_with_the_registry_down(site, engine):
    site.app.inst_path = "/gone"
    engine.push_error = "connection refused"
    with pytest.raises(image.ImageError, match="connection refused"):
        image.ensure_image(site.app)


def test_upload_and_apply_at_once_do_not_take_each_others_names_away(site, engine):
    at_push, go = threading.Event(), threading.Event()
    errors = []

    def wait():
        at_push.set()
        assert go.wait(5)

    def ensure():
        try:
            image.ensure_image(site.app)
        except image.ImageError as error:
            errors.append(error)

    engine.before_push = wait
    first = threading.Thread(target=ensure)
    first.start()
    assert at_push.wait(5)
    engine.before_push = lambda: None
    second = threading.Thread(target=ensure)
    second.start()
    go.set()
    first.join(5)
    second.join(5)
    assert errors == []
    assert engine.registry == {IMAGE: "1.0-1.json"}
    assert engine.images == {}


def test_the_platforms_own_client_takes_these_arguments():
    """The engine of these tests is ours; the signatures are those of the client that is installed."""
    client = docker.APIClient
    for call, args, kwargs in (
        (client.load_image, ["data"], {}),
        (client.tag, ["image", "repository", "tag"], {"force": True}),
        (client.push, ["repository", "tag"], {"stream": True, "decode": True, "auth_config": {}}),
        (client.inspect_distribution, ["image"], {"auth_config": {}}),
        (client.remove_image, ["image"], {}),
    ):
        inspect.signature(call).bind(None, *args, **kwargs)


def test_every_client_is_closed(site, engine):
    closed = engine.closed
    image.ensure_image(site.app)
    assert engine.closed == closed + 1
