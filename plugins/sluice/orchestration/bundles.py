"""Bundles in hand: a registered version's bundle, for as long as a task needs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.domain.errors import BundleError

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle
    from sluice.adapters.tracking import Tracking, Version


@contextmanager
def downloaded(tracking: Tracking, version: Version) -> Iterator[Bundle]:
    """A version's bundle, verified to be the one that was registered.

    Raises:
        BundleError: It is altered, is not the bundle that the version was registered with, or is of another use case.
    """
    from sluice.adapters import bundles

    with tempfile.TemporaryDirectory(prefix="sluice-bundle-") as folder:
        bundle = bundles.read(tracking.download_bundle(version, Path(folder)))
        registered = version.tags.get("bundle_sha256")
        if bundle.sha256 != registered:
            raise BundleError(
                f"version {version.number} of {version.use_case} holds another bundle than was registered",
                f"{bundle.sha256} instead of {registered or 'none'}",
                "do not use it; train again",
            )
        if bundle.contract.use_case != version.use_case:
            raise BundleError(
                f"version {version.number} of {version.use_case} holds a bundle of {bundle.contract.use_case}",
                version.run_id,
                "do not use it; train again",
            )
        yield bundle
