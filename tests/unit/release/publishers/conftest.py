"""Publications of a small release, where they go, and a disk that is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.adapters.bundles import Bundle
from sluice.release.publishers import releases
from sluice.release.publishers.publication import Publication
from tests.unit.release.publishers import disks, hubs
from tests.unit.release.publishers.hubs import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that holds nothing."""
    with hubs.running() as hub:
        yield hub


@pytest.fixture
def publication(bundle: Bundle, tmp_path: Path) -> Publication:
    """Version 3."""
    return releases.of(bundle, 3, "s3://store/releases/line/3", tmp_path / "model")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own that has no room left."""
    with disks.full(tmp_path / "full") as folder:
        yield folder
