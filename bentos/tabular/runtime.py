"""The runtime hash: which serving code and locked requirements this is."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Files that count beside the package's own modules.
EXTRAS = ("requirements.txt", "contract.schema.json")


def runtime_sha256(package: Path) -> str:
    """Hex digest of the serving code, its locked requirements and the contract's schema.

    Args:
        package: The folder of the service; its modules at top level count, sub-folders do not.
    """
    files = sorted(
        [path.name for path in package.glob("*.py")] + [name for name in EXTRAS if (package / name).exists()]
    )
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256((package / name).read_bytes()).digest())
    return digest.hexdigest()
