"""Provenance: which code a model was made by."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase

PACKAGE = Path(__file__).resolve().parents[1]
REPOSITORY = PACKAGE.parents[1]

#: What the numbers of a training follow from, beside its rows and its spec.
ROOMS = ("training", "adapters", "domain")
LOCK = "requirements.txt"
#: What the numbers of a release depend on.
LIBRARIES = ("numpy", "scikit-learn", "lightgbm", "onnx", "onnxruntime")


@cache
def code_sha256() -> str:
    """Hex digest of the training code and the locked requirements of this process's installation, read once."""
    return digest(REPOSITORY)


def digest(repository: Path) -> str:
    """Hex digest of the training code and the locked requirements below a folder.

    Args:
        repository: Holds `plugins/sluice` and `requirements.txt`.

    Raises:
        StateError: A file of them cannot be read.
    """
    package = repository / "plugins" / PACKAGE.name
    paths = sorted(path for room in ROOMS for path in (package / room).rglob("*.py"))
    whole = hashlib.sha256()
    # What is installed may differ from the lock.
    for name in LIBRARIES:
        whole.update(f"{name}=={version(name)}\0".encode())
    for path in (*paths, repository / LOCK):
        name = path.relative_to(repository).as_posix()
        whole.update(name.encode() + b"\0" + hashlib.sha256(_content(path)).digest())
    return whole.hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateError(
            f"the code of this installation cannot be told: {error.strerror}", str(path), "install it anew"
        ) from error


def tags(use_case: UseCase, snapshot_id: str, runtime_sha256: str) -> dict[str, str]:
    """The tags of a version that was made from the same rows, by the same spec and code, for the same endpoint."""
    return {
        "snapshot_id": snapshot_id,
        "spec_sha256": use_case.sha256(),
        "code_sha256": code_sha256(),
        "runtime_sha256": runtime_sha256,
    }
