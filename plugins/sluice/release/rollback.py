"""The way back: which release to go back to, and whether all of it is still there."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.domain.contract import MANIFEST
from sluice.domain.errors import BundleError, StateError
from sluice.domain.release import Release
from sluice.release import deployments, depot, ledger

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse
    from sluice.release.ledger import Published


@dataclass(frozen=True)
class Choice:
    """What to go back to.

    Attributes:
        release: It.
        from_version: What serves until then; None where the registry names no champion.
        serves_already: Whether there is nothing to do.
    """

    release: Release
    from_version: int | None
    serves_already: bool


@dataclass(frozen=True)
class Vault:
    """Where releases are kept.

    Attributes:
        warehouse: The ledgers.
        tracking: The registry.
        store: The object store with the releases' copies.
        bentos: The bento store (`BENTOML_HOME`).
    """

    warehouse: Warehouse
    tracking: Tracking
    store: ObjectStore
    bentos: Path

    def choose(self, use_case: str, to: int | None) -> Choice:
        """Choose the release to go back to, and make sure that it can serve; nothing is touched.

        Args:
            use_case: Whose.
            to: Its version; None for the one that served when the champion of now was promoted.

        Raises:
            StateError: It was never let serve, was removed, or is no longer what the ledger says. Names the versions
                that one can go back to.
        """
        known = ledger.published(self.warehouse, use_case)
        entered = deployments.deployed(self.warehouse, use_case)
        champion = self.tracking.aliased(use_case, "champion")
        now = champion.number if champion else None
        if to is None:
            to = self._before(use_case, now or entered, known)
        try:
            release = self._returnable(use_case, to, known)
        except (StateError, BundleError) as error:
            raise StateError(
                f"{use_case} cannot go back to version {to}: {error.what}", error.where, _advice(known, now, to)
            ) from error
        return Choice(release, now, serves_already=to == now == entered)

    def _before(self, use_case: str, version: int | None, known: tuple[Published, ...]) -> int:
        if version is None:
            raise StateError(f"nothing serves {use_case}, so there is no way back", "ml.deployments", "promote first")
        before = ledger.previous(self.warehouse, use_case, version)
        if before is None:
            raise StateError(
                f"nothing served {use_case} before version {version}", "ml.deployments", _advice(known, version)
            )
        return before

    def _returnable(self, use_case: str, version: int, known: tuple[Published, ...]) -> Release:
        found = next((each for each in known if each.release.version == version), None)
        if found is None:
            raise StateError("it was never released", "ml.releases")
        if found.removed_at is not None:
            raise StateError(f"it was removed on {found.removed_at:%Y-%m-%d}", "ml.releases")
        if not found.may_serve:
            raise StateError("it was never deployed, nor decided to be", "ml.decisions")
        name, _, label = found.release.bento.partition(":")
        release = replace(found.release, bento_path=str(self.bentos / "bentos" / name / label))
        here = Path(release.bento_path).is_dir()
        if release.image is None and not here and not self.store.exists(depot.key(release.bento)):
            raise StateError(f"its bento {release.bento} is gone", release.bento_path)
        with tempfile.TemporaryDirectory(prefix="sluice-rollback-") as folder:
            registered = self.tracking.download_bundle(self.tracking.version(use_case, version), Path(folder) / "run")
            _verify(release, registered, f"{self.tracking.uri} version {version}")
            copy = self._copy(release, Path(folder) / "copy")
            _verify(release, copy, self.store.url(f"releases/{use_case}/{version}"))
        return release

    def _copy(self, release: Release, folder: Path) -> Path:
        from sluice.adapters import bundles

        folder.mkdir()
        prefix = f"releases/{release.use_case}/{release.version}"
        sealed = self.store.read_bytes(f"{prefix}/{MANIFEST}")
        try:
            names = bundles.listed(sealed, self.store.url(f"{prefix}/{MANIFEST}")).files
        except BundleError as error:
            raise StateError(error.what, error.where) from error
        (folder / MANIFEST).write_bytes(sealed)
        for name in names:
            (folder / name).write_bytes(self.store.read_bytes(f"{prefix}/{name}"))
        return folder


def _verify(release: Release, folder: Path, place: str) -> None:
    from sluice.adapters import bundles

    try:
        found = bundles.read(folder).sha256
    except BundleError as error:
        raise StateError(error.what, place) from error
    if found != release.bundle_sha256:
        raise StateError(f"its bundle is {found[:12]} and was released as {release.bundle_sha256[:12]}", place)


def _advice(known: tuple[Published, ...], *but: int | None) -> str:
    """The versions that one can go back to, in words."""
    open_ways = [
        str(each.release.version)
        for each in known
        if each.may_serve and each.removed_at is None and each.release.version not in but
    ]
    return f"go back to one of: {', '.join(open_ways)}" if open_ways else "there is no version to go back to; promote"
