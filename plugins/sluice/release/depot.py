"""The depot: bentos in the object store, from where whichever machine needs one has it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import BundleError
from sluice.domain.release import Release


def key(bento: str) -> str:
    """Where the object store keeps a bento.

    Args:
        bento: Its tag, for example `housing:v3-2f6c0d9a41b7`.
    """
    name, _, label = bento.partition(":")
    return f"{shelf(name, label.partition('-')[0])}/{label}.tar"


def shelf(use_case: str, version: int | str) -> str:
    """Below which the object store keeps the bentos of one version."""
    return f"bentos/{use_case}/{str(version).removeprefix('v')}"


def put(store: ObjectStore, release: Release) -> None:
    """Bring a release's bento there; one that is there stays, because a tag names its content."""
    if store.exists(key(release.bento)):
        return
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(release.bento_path, arcname=".")
    store.write_bytes(key(release.bento), packed.getvalue())


def take(store: ObjectStore, bento: str, home: Path) -> Path:
    """The folder of a bento on this machine; one that was built elsewhere is brought here, and verified.

    Args:
        store: The object store.
        bento: Its tag.
        home: The bento store of this machine (`BENTOML_HOME`).

    Raises:
        StateError: It is neither here nor there.
        BundleError: What is there is not what was built.
    """
    folder = home.joinpath("bentos", *bento.split(":"))
    if folder.is_dir():
        return folder
    content = store.read_bytes(key(bento))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=home) as scratch:
        whole = Path(scratch) / "bento"
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(whole, filter="data")
            _verify(bento, whole)
        except (tarfile.TarError, BundleError) as error:
            what = f"the bento {bento} was altered: {error}"
            raise BundleError(what, store.url(key(bento)), "remove the file, and promote again") from error
        try:
            whole.rename(folder)
        except OSError:
            # Another task of this machine may have brought it meanwhile.
            if not folder.is_dir():
                raise
    return folder


def _verify(bento: str, folder: Path) -> None:
    """See that the bundle is the one the tag names, and the code the one that the bundle was tested with."""
    from sluice.adapters import bundles

    bundle = bundles.read(folder / "src" / "bundle")
    if not bento.endswith(f"-{bundle.sha256[:12]}"):
        raise BundleError(f"it holds the bundle {bundle.sha256[:12]}")
    if bundles.runtime_sha256(folder / "src" / "tabular") != bundle.contract.runtime_sha256:
        raise BundleError("it holds other serving code than the bundle was made for")
