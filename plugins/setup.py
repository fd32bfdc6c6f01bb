"""Gives the wheel its version: the application's own, X.Y-Z in metadata.yaml, as X.Y.postZ (the same in PEP 440)."""

import re
from pathlib import Path

from setuptools import setup

METADATA = Path(__file__).resolve().parent.parent / "metadata.yaml"
FOUND = re.search(r"""^app_version:\s*['"]?(\d+\.\d+)-(\d+)['"]?\s*(#.*)?$""", METADATA.read_text(), re.MULTILINE)
if FOUND is None:
    raise SystemExit(f"{METADATA}: app_version must have the form X.Y-Z")

setup(version=f"{FOUND[1]}.post{FOUND[2]}")
