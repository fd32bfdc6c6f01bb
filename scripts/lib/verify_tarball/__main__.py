"""verify-tarball <file.tgz>: one line for everything the application framework would trip over, mostly in silence.

Exit code 0: nothing found; 1: findings; 2: not a tarball at all. The rules are in the files beside this one.
"""

import sys
import tempfile
from pathlib import Path

from . import archive, charts, images, manifests, metadata, wheel
from .unpacked import Unpacked, UnreadableError

RULES = [*archive.RULES, *metadata.RULES, *charts.RULES, *manifests.RULES, *images.RULES, *wheel.RULES]


def findings(tarball: Path, folder: Path) -> list[str]:
    """All findings as `rule: sentence`; what one rule cannot read is a finding once, whoever needed it."""
    unpacked = Unpacked.of(tarball, folder)
    found: list[str] = []
    for rule in RULES:
        try:
            found.extend(f"{rule.__name__.replace('_', '-')}: {sentence}" for sentence in rule(unpacked))
        except UnreadableError as error:
            found.append(f"readable: {error}")
    return list(dict.fromkeys(found))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: scripts/verify-tarball <file.tgz>", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = findings(Path(arguments[0]), Path(folder))
        except (OSError, ValueError, EOFError, UnreadableError) as error:
            print(f"{arguments[0]}: {error}", file=sys.stderr)
            return 2
    for line in found:
        print(line)
    print(f"{Path(arguments[0]).name}: {len(RULES)} rules, {len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
