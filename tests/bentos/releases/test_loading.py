"""The loader: a version that finds no place here is tried now and then, and not at every look."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tabular.errors import BundleError
from tabular.releases.loading import Loader
from tabular.releases.sources import Name, Pointer


class Full:
    """A source whose bundles are too large for the disk."""

    name: Name = "registry"
    fetched = 0

    def champion(self) -> Pointer | None:
        return Pointer(7)

    def challenger(self) -> Pointer | None:
        return None

    def fetch(self, version: int, folder: Path) -> Path:
        self.fetched += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "model.onnx"))


def test_a_bundle_that_cannot_be_stored_is_refused_and_not_fetched_again_at_once() -> None:
    source, outcomes = Full(), list[str]()
    loader = Loader(source, "rents", "r" * 64, outcomes.append)
    reasons = set()
    for _ in range(3):
        with pytest.raises(BundleError) as caught:
            loader.load(Pointer(7))
        reasons.add(str(caught.value))

    assert source.fetched == 1
    assert outcomes == ["refused"]
    (reason,) = reasons
    assert reason.startswith("refused: version 7: cannot be stored here: No space left on device")
