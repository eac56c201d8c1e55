"""The runtime hash: which serving code and locked requirements this is."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Code and pages.
PATTERNS = ("**/*.py", "pages/*")
#: Files that count beside them.
EXTRAS = ("requirements.txt", "contract.schema.json")


def runtime_sha256(package: Path) -> str:
    """Hex digest of the serving code, its pages, its locked requirements and the contract's schema.

    Args:
        package: The folder of the service; its modules and its pages count.
    """
    found = [path.relative_to(package).as_posix() for pattern in PATTERNS for path in package.glob(pattern)]
    files = sorted(found + [name for name in EXTRAS if (package / name).exists()])
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256((package / name).read_bytes()).digest())
    return digest.hexdigest()
