"""A bento that one machine built is there for all of them, and only as it was built."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.adapters import bundles
from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import BundleError, StateError
from sluice.domain.release import Release
from sluice.release import depot


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    root = (tmp_path / "store").as_uri() if request.param == "file" else request.getfixturevalue("bucket")
    return ObjectStore(root)


def test_another_machine_has_it_whole(store: ObjectStore, release: Release, tmp_path: Path) -> None:
    depot.put(store, release)

    taken = depot.take(store, release.bento, tmp_path / "elsewhere")

    assert (taken / "bento.yaml").read_bytes() == (Path(release.bento_path) / "bento.yaml").read_bytes()
    assert bundles.read(taken / "src" / "bundle").sha256 == release.bundle_sha256
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["bentos"]


def test_where_it_was_built_it_is_at_hand(release: Release, tmp_path: Path) -> None:
    home = Path(release.bento_path).parents[2]

    assert depot.take(ObjectStore(tmp_path.as_uri()), release.bento, home) == Path(release.bento_path)


def test_one_that_is_there_stays(store: ObjectStore, release: Release, tmp_path: Path) -> None:
    depot.put(store, release)

    depot.put(store, replace(release, bento_path=str(tmp_path / "never built")))


def test_one_that_is_nowhere_is_said(store: ObjectStore, release: Release, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="missing from the object store"):
        depot.take(store, release.bento, tmp_path)


@pytest.mark.parametrize("name", ["src/bundle/golden.json", "src/tabular/service.py"])
def test_one_that_was_altered_is_refused(store: ObjectStore, release: Release, tmp_path: Path, name: str) -> None:
    depot.put(store, release)
    alter(store, release.bento, name)

    with pytest.raises(BundleError, match=f"{release.bento} was altered"):
        depot.take(store, release.bento, tmp_path)
    assert not (tmp_path / "bentos").joinpath(*release.bento.split(":")).exists()


def test_one_that_was_cut_off_is_refused(store: ObjectStore, release: Release, tmp_path: Path) -> None:
    depot.put(store, release)
    content = store.read_bytes(depot.key(release.bento))
    store.write_bytes(depot.key(release.bento), content[: len(content) // 2])

    with pytest.raises(BundleError, match="was altered"):
        depot.take(store, release.bento, tmp_path)


def test_the_bento_of_another_version_is_refused(store: ObjectStore, release: Release, tmp_path: Path) -> None:
    depot.put(store, release)
    other = f"line:v3-{'0' * 12}"
    store.write_bytes(depot.key(other), store.read_bytes(depot.key(release.bento)))

    with pytest.raises(BundleError, match=f"it holds the bundle {release.bundle_sha256[:12]}"):
        depot.take(store, other, tmp_path)


def test_all_of_a_version_is_below_its_shelf(store: ObjectStore, release: Release) -> None:
    depot.put(store, release)

    store.remove(depot.shelf("line", 30))
    assert store.exists(depot.key(release.bento))
    store.remove(depot.shelf("line", 3))
    assert not store.exists(depot.key(release.bento))


def alter(store: ObjectStore, bento: str, name: str) -> None:
    """Add a byte to one of its files."""
    altered = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(store.read_bytes(depot.key(bento)))) as before,
        tarfile.open(fileobj=altered, mode="w") as after,
    ):
        for member in before.getmembers():
            file = before.extractfile(member)
            content = file.read() if file else b""
            if member.name.removeprefix("./") == name:
                content += b" "
            member.size = len(content)
            after.addfile(member, io.BytesIO(content))
    store.write_bytes(depot.key(bento), altered.getvalue())
