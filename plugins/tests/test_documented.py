"""The page about what StarlingX shows quotes the plugin: each sentence there is one that a hook really says."""

from pathlib import Path

import pytest
from sysinv.common import exception

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/what-starlingx-shows.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the plugin alone, without the repository's pages")


def documented(text):
    assert f"`{text}`" in PAGE.read_text() or f": {text}`" in PAGE.read_text()


def logged(caplog, level):
    """The only record of the plugin at this level."""
    (record,) = [r for r in caplog.records if r.levelname == level and r.name.startswith("k8sapp_")]
    return record.getMessage()


def refusal(act):
    with pytest.raises(exception.LifecycleSemanticCheckException) as refused:
        act()
    return str(refused.value)


@pytest.fixture(autouse=True)
def everything_logged(caplog):
    caplog.set_level("DEBUG")


def test_a_good_apply(site, caplog):
    site.apply()
    documented(logged(caplog, "INFO"))


def test_a_host_that_does_not_say(site, caplog):
    site.database.hosts[2].capabilities = {}
    site.apply()
    documented(logged(caplog, "WARNING"))


def test_refused_applies(site):
    site.database.hosts[2].capabilities = {"mgmt_ipsec": "disabled"}
    refused = refusal(site.apply)
    assert f"rejected: {refused}`" in PAGE.read_text()
    site.database.system.system_mode = "simplex"
    site.database.hosts = site.database.hosts[:1]
    assert f"rejected: {refusal(site.apply)}`" in PAGE.read_text()


def test_removals(site, caplog):
    site.apply()
    site.database.hosts[2].availability = "offline"
    assert f"rejected: {refusal(site.remove)}`" in PAGE.read_text()
    site.remove(force=True)
    documented(logged(caplog, "WARNING"))


def test_a_release_that_was_suspended(site, caplog):
    site.apply()
    caplog.clear()
    site.kube.release["spec"]["suspend"] = True
    site.remove()
    documented(logged(caplog, "INFO"))
