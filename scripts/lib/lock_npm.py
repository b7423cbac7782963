"""Keep names, versions and hashes of an npm lock file, and drop every address in it.

`npm ci` asks the registry that the machine is set to and checks what it gets against the hashes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def without_addresses(lock: dict[str, dict[str, dict[str, object]]]) -> dict[str, dict[str, dict[str, object]]]:
    """The lock file's content less where packages come from and who asks for donations."""
    for package in lock["packages"].values():
        for name in ("resolved", "funding"):
            package.pop(name, None)
    return lock


def main() -> None:
    """Rewrite the lock files that the command line names."""
    for argument in sys.argv[1:]:
        path = Path(argument)
        path.write_text(json.dumps(without_addresses(json.loads(path.read_text())), indent=2) + "\n")


if __name__ == "__main__":
    main()
